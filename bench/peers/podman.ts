import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openTempDir } from "@hawser/base/testing";
import { removeCgroups } from "../../test/e2e/kit-cgroups.ts";
import { formatFlags } from "../../test/e2e/kit-cli.ts";
import { runCommand } from "../../test/e2e/kit-process.ts";
import { importImages } from "../images.ts";
import { findProcesses } from "../memory.ts";
import type { Images, Peer } from "../peer.ts";

/** Debian's podman: no engine, a conmon per container, crun; its own client. */
export async function openPodmanPeer(images: Images): Promise<Peer> {
  const dir = await openTempDir("hawser-bench-podman-");
  const flags = formatFlags({
    root: `${dir.path}/root`,
    runroot: `${dir.path}/run`,
    tmpdir: `${dir.path}/tmp`,
    "cgroup-manager": "cgroupfs",
    "storage-driver": "overlay",
    "events-backend": "file",
    runtime: "crun",
    "log-level": "error",
  });
  // podman's own limits are higher than what a machine without CAP_SYS_RESOURCE lets crun set.
  const configuration = join(dir.path, "containers.conf");
  await writeFile(configuration, '[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n');
  process.env["CONTAINERS_CONF"] = configuration;
  const client = ["podman", ...flags];
  await importImages(client, images);
  return {
    name: "podman",
    client,
    engineProcesses: () => [],
    helperProcesses: () => findProcesses(/^conmon$/),
    async [Symbol.asyncDispose]() {
      await runCommand([...client, "rm", "-a", "-f", "-t", "0"], { timeoutMs: 300_000 });
      await runCommand([...client, "rmi", "-a", "-f"]);
      await removeCgroups(["libpod_parent"]);
      await runCommand(["umount", "-R", `${dir.path}/root/overlay`]);
      await dir[Symbol.asyncDispose]();
    },
  };
}
