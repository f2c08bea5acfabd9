import assert from "node:assert/strict";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import type { EngineStep } from "@hawser/engine";
import type { TestEngine } from "./kit-engine.ts";
import { ask } from "./kit-http.ts";
import { findLeftovers, findPorts, listContainers, stockSize, wordOf } from "./kit-idle.ts";
import type { Json, Target } from "./kit-target.ts";

/** Whether a step is one of builds: they have a file of their own. */
export const isOfBuilds = (step: EngineStep) => /^(build|encode|seal)\./.test(step);

/** Something that a client asks for, in the middle of which the engine dies. */
export interface Act {
  /** Steps on its way. `<step>:2`: the second time. */
  readonly steps: readonly (EngineStep | `${EngineStep}:${number}`)[];
  /** What must be there before. */
  readonly prepare?: (engine: TestEngine) => Promise<void>;
  /** Ask. An answer is a promise kept. @returns the status, 0: no answer came */
  readonly ask: (engine: TestEngine) => Promise<number>;
  /** After the recovery, done or not, and however far: ask again, then everything must be as it should. */
  readonly check: (engine: TestEngine, seen: { readonly acknowledged: boolean }) => Promise<void>;
}

/** With an address, a port of the host's, and a volume that the image fills. */
export const rich = {
  Image: "busybox",
  Cmd: ["sleep", "1000"],
  StopSignal: "SIGKILL",
  ExposedPorts: { "80/tcp": {} },
  Volumes: { "/etc": {} },
  HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1" }] } },
};

/** @returns 0: no answer came */
export async function status(engine: TestEngine, what: string, body?: unknown): Promise<number> {
  try {
    return (await ask(engine.socket, what, body === undefined ? {} : { body })).status;
  } catch {
    return 0;
  }
}

/** @returns what it answers, where that is JSON */
export async function must(
  engine: TestEngine,
  what: string,
  body?: unknown,
  allowed: readonly number[] = [],
): Promise<Json> {
  const answer = await ask(engine.socket, what, body === undefined ? {} : { body });
  const isRight = (answer.status >= 200 && answer.status < 300) || allowed.includes(answer.status);
  assert.ok(isRight, `${what}: ${answer.status} ${answer.text}`);
  return answer.text.startsWith("{") || answer.text.startsWith("[") ? answer.json() : ({} as Json);
}

export const stateOf = async (engine: TestEngine, name: string) =>
  (await must(engine, `GET /containers/${name}/json`))["State"];

/**
 * A test for each step of each act: the engine dies there, and the next one has all that was acknowledged, nothing else, and does
 * it when it is asked again. A container beside it notices nothing.
 *
 * @param options.steps those that the acts are there for
 * @param options.prepare what all acts need, before it is noted what there is
 */
export function testSteps(
  acts: Readonly<Record<string, Act>>,
  target: Target,
  {
    steps,
    prepare,
  }: {
    readonly steps: readonly EngineStep[];
    readonly prepare: (engine: TestEngine) => Promise<void>;
  },
): void {
  let keeper = "";
  let baseline: readonly string[] = [];
  let crashFile = "";

  before(async () => {
    const engine = target.engine();
    crashFile = join(engine.execRoot, "crash");
    await engine.stop();
    await engine.start([], { HAWSER_CRASH_FILE: crashFile });
    await prepare(engine);
    keeper = wordOf((await must(engine, "POST /containers/create?name=keeper", rich))["Id"]);
    await must(engine, "POST /containers/keeper/start");
    await undo(engine, keeper);
    await eventually(async () => {
      const [once, twice] = [await footprint(engine), await footprint(engine)];
      baseline = once;
      return once.join() === twice.join();
    });
  });

  test("every step has an act on whose way it lies", () => {
    const tried = new Set(Object.values(acts).flatMap((act) => act.steps.map((step) => step.split(":")[0])));
    assert.deepEqual(
      steps.filter((step) => !tried.has(step)),
      [],
    );
  });

  for (const [name, act] of Object.entries(acts)) {
    for (const step of act.steps) {
      test(`of ${name}: ${step}`, async () => {
        const engine = target.engine();
        await act.prepare?.(engine);
        const pid = (await stateOf(engine, "keeper"))?.["Pid"];
        await writeFile(crashFile, step);
        const answer = await act.ask(engine);
        await engine.waitForEnd();
        await rm(crashFile);
        await engine.start([], { HAWSER_CRASH_FILE: crashFile });
        await act.check(engine, { acknowledged: answer >= 200 && answer < 300 });
        assert.equal(
          (await stateOf(engine, "keeper"))?.["Pid"],
          pid,
          "a container beside it noticed nothing",
        );
        await undo(engine, keeper);
        let found: readonly string[] = [];
        await eventually(async () => {
          found = await footprint(engine);
          return found.join() === baseline.join();
        }).catch(() => {});
        assert.deepEqual(found, baseline, "nothing is left of it");
        await eventually(() => findPorts(engine.bridge).length <= stockSize + 1, {
          what: "no interface either",
        });
      });
    }
  }
}

/** Remove whatever an act has made. */
async function undo(engine: TestEngine, keeper: string): Promise<void> {
  for (const { Id } of await listContainers(engine)) {
    if (wordOf(Id) !== keeper) await must(engine, `DELETE /containers/${wordOf(Id)}?force=1&v=1`);
  }
  const images = (await must(engine, "GET /images/json")) as unknown as readonly {
    Id: string;
    RepoTags: string[];
  }[];
  for (const { Id, RepoTags } of images) {
    if (RepoTags.length === 0) await must(engine, `DELETE /images/${Id}?force=1`);
    for (const tag of RepoTags)
      if (tag !== "busybox:latest") await must(engine, `DELETE /images/${tag}?force=1`);
  }
  await must(engine, "POST /build/prune?all=1");
  await must(engine, 'POST /volumes/prune?filters={"all":["1"]}');
}

/** All that an engine holds of the machine, and all that its store holds, without what comes and goes by itself. */
async function footprint(engine: TestEngine): Promise<readonly string[]> {
  const left = await findLeftovers(engine);
  const stored = await Promise.all(
    ["volumes", "layers", "content/sha256", "builds/run", "builds/context", "builds/kept", "builds/http"].map(
      async (folder) => {
        const names = await readdir(join(engine.dataRoot, folder)).catch(() => []);
        return names.map((name) => `${folder}/${name}`);
      },
    ),
  );
  // The engine's stock of interfaces is made anew under other names.
  return [...left.filter((line) => !line.startsWith("interface ")), ...stored.flat()].toSorted();
}
