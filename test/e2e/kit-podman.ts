import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openTempDir } from "@hawser/base/testing";
import { root } from "../../tools/tree.ts";
import { runCommandOk } from "./kit-process.ts";

/** podman and buildah as clients of a registry, with a store of images of their own, which they share. */
export interface PodmanStore extends AsyncDisposable {
  /** Standard output of a command that must succeed. */
  podman(...args: readonly string[]): Promise<string>;
  buildah(...args: readonly string[]): Promise<string>;
}

const programs = join(root, "build/podman");

/** Nothing of theirs is outside of a folder of the test's own, but for the cache of blobs that skopeo has, too. */
export async function openPodmanStore(): Promise<PodmanStore> {
  const dir = await openTempDir("hawser-podman-");
  const at = (name: string) => join(dir.path, name);
  await mkdir(at("run"));
  await writeFile(
    at("containers.conf"),
    `[engine]
conmon_path = ["${join(programs, "conmon")}"]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
tmp_dir = "${at("tmp")}"
[network]
network_config_dir = "${at("net")}"
`,
  );
  await writeFile(
    at("storage.conf"),
    `[storage]
driver = "overlay"
graphroot = "${at("images")}"
runroot = "${at("run/images")}"
[storage.options.overlay]
skip_mount_home = "true"
`,
  );
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: programs,
    CONTAINERS_CONF: at("containers.conf"),
    CONTAINERS_STORAGE_CONF: at("storage.conf"),
    XDG_RUNTIME_DIR: at("run"),
    TMPDIR: dir.path,
  };
  const run = async (program: string, args: readonly string[]) =>
    await runCommandOk([join(programs, program), ...args], { env, timeoutMs: 300_000 });
  return {
    podman: (...args) => run("podman", args),
    buildah: (...args) => run("buildah", args),
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}
