import { dockerCli } from "../../test/e2e/kit-cli.ts";
import { openDockerd } from "../../test/e2e/kit-dockerd.ts";
import { importImages } from "../images.ts";
import { findProcesses } from "../memory.ts";
import type { Images, Peer } from "../peer.ts";

/** Debian's docker.io: dockerd, its own containerd, runc; the docker CLI found on PATH. */
export async function openDockerPeer(images: Images): Promise<Peer> {
  const dockerd = await openDockerd({ isolate: false, execRoot: "/run/docker" });
  const client = [dockerCli(), "-H", dockerd.host];
  await importImages(client, images);
  return {
    name: "docker",
    client,
    socket: dockerd.socket,
    engineProcesses: () => [dockerd.program.pid, ...findProcesses(/^containerd$/)],
    helperProcesses: () => findProcesses(/^(containerd-shim.*|docker-proxy)$/),
    [Symbol.asyncDispose]: () => dockerd[Symbol.asyncDispose](),
  };
}
