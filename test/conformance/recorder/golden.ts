import { join } from "node:path";
import { root } from "../../../tools/tree.ts";
import type { TestEngine } from "../../e2e/kit-engine.ts";
import { findLayer } from "../../e2e/kit-target.ts";
import type { Scenario } from "./call.ts";
import { type Recording, replay } from "./replay.ts";

/** What dockerd 28.5.2 (API 1.51) of Debian said, on a machine with cgroups v1. */
export const goldenPath = join(root, "test/conformance/recorder/testdata/docker-28.5.2.jsonl");

/** Replay against an engine that has nothing yet. */
export async function recordEngine(engine: TestEngine, scenarios: readonly Scenario[]): Promise<Recording> {
  return await replay(scenarios, {
    socketPath: engine.socket,
    own: [
      [engine.dataRoot, "<data root>"],
      [engine.execRoot, "<exec root>"],
      [engine.bridge, "docker0"],
    ],
    layer: await findLayer("busybox"),
  });
}
