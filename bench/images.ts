import { cp, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { runCommandOk } from "../test/e2e/kit-process.ts";
import { root } from "../tools/tree.ts";
import type { Images } from "./peer.ts";

/** Make the two images' root file systems below `dir` from what the set-up built. */
export async function makeImages(dir: string): Promise<Images> {
  const hello = join(dir, "hello");
  await mkdir(hello, { recursive: true });
  await cp(join(root, "build/native/hello"), join(hello, "hello"));
  const idle = join(dir, "idle");
  await mkdir(join(idle, "bin"), { recursive: true });
  await cp(join(root, "build/busybox/busybox"), join(idle, "bin/busybox"));
  for (const applet of ["sh", "sleep", "true", "yes", "head"])
    await symlink("busybox", join(idle, "bin", applet));
  const folders = ["dev", "etc", "proc", "sys", "run", "tmp"];
  for (const tree of [hello, idle]) for (const name of folders) await mkdir(join(tree, name));
  for (const tree of [hello, idle]) await runCommandOk(["tar", "-C", tree, "-cf", `${tree}.tar`, "."]);
  return {
    hello: { rootfs: hello, archive: `${hello}.tar` },
    idle: { rootfs: idle, archive: `${idle}.tar` },
  };
}

/** Import both through a peer's own client. */
export async function importImages(client: readonly string[], images: Images): Promise<void> {
  await runCommandOk([...client, "import", "--change", 'CMD ["/hello"]', images.hello.archive, "hello"]);
  await runCommandOk([...client, "import", "--change", 'CMD ["sh"]', images.idle.archive, "idle"]);
}
