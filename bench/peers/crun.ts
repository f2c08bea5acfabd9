import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openTempDir } from "@hawser/base/testing";
import { runCommandOk } from "../../test/e2e/kit-process.ts";
import type { Images } from "../peer.ts";

/** crun alone: the floor that every engine stands on. */
export interface CrunPeer extends AsyncDisposable {
  /** The whole command for one run of `hello`, with a fresh container id. */
  run(): readonly string[];
}

/**
 * A bundle of `hello` for a bare `crun run`: `crun spec`'s own configuration (namespaces for pid, ipc, uts, mount, network
 * and cgroup; no seccomp, so a floor that is lower than what the engines ask of crun), without a terminal.
 */
export async function openCrunPeer(images: Images): Promise<CrunPeer> {
  const dir = await openTempDir("hawser-bench-crun-");
  await runCommandOk(["crun", "spec"], { cwd: dir.path });
  const path = join(dir.path, "config.json");
  const spec = JSON.parse(await readFile(path, "utf8")) as {
    process: { terminal: boolean; args: string[] };
    root: { path: string; readonly: boolean };
  };
  spec.process.terminal = false;
  spec.process.args = ["/hello"];
  spec.root = { path: images.hello.rootfs, readonly: false };
  await writeFile(path, JSON.stringify(spec));
  let runs = 0;
  const prefix = ["crun", "--root", join(dir.path, "state"), "--cgroup-manager=cgroupfs", "run"];
  return {
    run: () => [...prefix, "--bundle", dir.path, `hawser-bench-${process.pid}-${runs++}`],
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}
