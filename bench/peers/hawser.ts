import { join } from "node:path";
import { dockerCli } from "../../test/e2e/kit-cli.ts";
import { openEngine } from "../../test/e2e/kit-engine.ts";
import { openStub } from "../../test/e2e/kit-stub.ts";
import { root } from "../../tools/tree.ts";
import { importImages } from "../images.ts";
import type { Images, Peer } from "../peer.ts";

/** Hawser's engine from its bundle, driven by the docker CLI, and the same engine driven by Hawser's own client. */
export async function openHawserPeers(
  images: Images,
): Promise<{ readonly peers: readonly Peer[] } & AsyncDisposable> {
  const engine = await openEngine({
    program: join(root, "dist/engine/main.js"),
    // On the tmpfs of /run, as usual; not the usual place: its processes are known by it, and ended.
    execRoot: `/run/hawser-bench-${process.pid}`,
  });
  const stub = await openStub();
  await stub.openResident();
  Object.assign(process.env, stub.env); // it finds its resident client there
  const client = [dockerCli(), "-H", engine.host];
  await importImages(client, images);
  const shared = {
    socket: engine.socket,
    engineProcesses: () => [engine.pid(), ...engine.launchers()],
    helperProcesses: () => engine.monitors(),
    async crash() {
      await engine.kill();
      const started = performance.now();
      await engine.start();
      return started;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return {
    peers: [
      { ...shared, name: "hawser", client },
      {
        ...shared,
        name: "hawser-cli",
        client: [...stub.argv, "-H", engine.host],
      },
    ],
    async [Symbol.asyncDispose]() {
      await stub[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
    },
  };
}
