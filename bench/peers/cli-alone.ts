import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { openTempDir } from "@hawser/base/testing";
import { dockerCli } from "../../test/e2e/kit-cli.ts";
import type { Peer } from "../peer.ts";

/** docker's CLI with an engine that answers at once and does nothing: no engine is faster with it. */
export async function openCliAlone(): Promise<Peer> {
  await using opened = new AsyncDisposableStack();
  const dir = opened.use(await openTempDir("hawser-bench-cli-"));
  const socket = join(dir.path, "docker.sock");
  const worker = new Worker(new URL("./answers.ts", import.meta.url), { workerData: socket });
  opened.defer(async () => void (await worker.terminate()));
  await once(worker, "message");
  const owned = opened.move();
  return {
    name: "cli-alone",
    client: [dockerCli(), "-H", `unix://${socket}`],
    engineProcesses: () => [],
    helperProcesses: () => [],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
