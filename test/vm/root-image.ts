import { createHash } from "node:crypto";
import { chmod, cp, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, runProgramOk } from "@hawser/base";
import { writeDiskImage } from "./disk-image.ts";

/** What a machine boots from: a kernel, and the disk that has its modules and the programs that Hawser needs of a system. */
export interface RootImage {
  readonly kernel: string;
  readonly disk: string;
}

/** Debian's release and the packages, with what they depend on. The kernel's own NVMe and ext4 spare an initial RAM disk. */
const suite = "bookworm";
const packages = [
  "linux-image-cloud-amd64",
  "busybox-static",
  "crun",
  "iproute2",
  "kmod",
  "libstdc++6",
  "nfs-kernel-server",
  "nftables",
  "perl-base",
];

/** What the packages' scripts, which are not run, would have made. */
const files: Readonly<Record<string, string>> = {
  "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
  "etc/group": "root:x:0:\n",
  "etc/hostname": "hawser-vm\n",
  "etc/hosts": "127.0.0.1 localhost\n",
};

/** The first program: it makes visible what is on the second disk and leaves the rest to it. */
const init = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mount -o ro /dev/nvme1n1 /hawser
exec /hawser/test/vm/guest/init
`;

/**
 * The root image, made below `cacheDir` when it is not there yet: about a minute and 60 MB from Debian's mirrors, once.
 * Two callers at the same time do the work twice; the first one's result stays.
 */
export async function openRootImage(
  cacheDir: string,
  options: { readonly signal: AbortSignal },
): Promise<RootImage> {
  const recipe = createHash("sha256").update(JSON.stringify([suite, packages, files, init]));
  const folder = join(cacheDir, `${suite}-${recipe.digest("hex").slice(0, 12)}`);
  const image = { kernel: join(folder, "vmlinuz"), disk: join(folder, "root.ext4") };
  if (await hasEntry(cacheDir, folder)) return image;
  await mkdir(cacheDir, { recursive: true });
  const unfinished = await mkdtemp(join(cacheDir, "unfinished-"));
  try {
    await makeRootImage(unfinished, options);
    await rename(unfinished, folder).catch((error: unknown) => {
      if (errnoOf(error) !== "ENOTEMPTY" && errnoOf(error) !== "EEXIST") throw error;
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return image;
}

/** `vmlinuz` and `root.ext4` in a folder. Packages are unpacked, not configured: nothing of them runs as a service. */
async function makeRootImage(folder: string, options: { readonly signal: AbortSignal }): Promise<void> {
  const tree = join(folder, "tree");
  const mergeUsr = 'for d in bin sbin lib lib64; do mkdir -p "$1/usr/$d"; ln -s "usr/$d" "$1/$d"; done';
  await runProgramOk(
    [
      "mmdebstrap",
      "--quiet",
      "--variant=extract",
      "--format=directory",
      `--include=${packages.join(",")}`,
      `--setup-hook=${mergeUsr}`,
      suite,
      tree,
    ],
    options,
  );
  const [release] = await readdir(join(tree, "usr/lib/modules"));
  if (release === undefined) throw new Error("mmdebstrap gave a root file system without kernel modules");
  await cp(join(tree, "boot", `vmlinuz-${release}`), join(folder, "vmlinuz"));
  await runProgramOk(["chroot", tree, "/usr/sbin/depmod", release], options);
  await runProgramOk(["chroot", tree, "/usr/bin/busybox", "--install", "-s", "/usr/bin"], options);
  for (const unused of ["boot", "usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache"]) {
    await rm(join(tree, unused), { recursive: true, force: true });
  }
  for (const target of ["proc", "sys", "dev", "run", "tmp", "root", "hawser"]) {
    await mkdir(join(tree, target), { recursive: true });
  }
  for (const [path, text] of Object.entries(files)) await writeFile(join(tree, path), text);
  await writeFile(join(tree, "init"), init);
  await chmod(join(tree, "init"), 0o755);
  await writeDiskImage({ folder: tree, disk: join(folder, "root.ext4"), sizeMb: 1024, ...options });
  await rm(tree, { recursive: true });
}

async function hasEntry(parent: string, path: string): Promise<boolean> {
  try {
    return (await readdir(parent)).some((name) => join(parent, name) === path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
