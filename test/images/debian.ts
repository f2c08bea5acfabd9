import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../../tools/tree.ts";
import { runCommandOk } from "../e2e/kit-process.ts";

// Root file systems of Debian as tar archives, made with mmdebstrap from Debian's registry the first time (a minute of a
// processor each) and kept in build/test-images.

const folder = join(root, "build/test-images");
const pathOf = (name: string) => join(folder, `${name}.tar`);
const smallest = pathOf("bookworm");

/**
 * The smallest Debian that can mount, and install packages (also over TLS): the disk of a fresh machine, or an image (`docker
 * import`) with bash and coreutils.
 */
export async function debianArchive(suite: "bookworm" | "trixie"): Promise<string> {
  if (suite === "trixie") return await makeOnce(pathOf("trixie"), [...small, suite]);
  if (!existsSync(smallest)) await serversArchive();
  return smallest;
}

/** That one with servers to start as they are: the root of images for tests of whole stacks, and of throughput. */
export async function serversArchive(): Promise<string> {
  // One installation of the essential packages is both archives': the first is taken before the servers come.
  const left = mmdebstraps.map((pattern) => `--exclude='${pattern}'`).join(" ");
  const back = "--transform='s,/start-stop-daemon.REAL$,/start-stop-daemon,'";
  // 1: a folder changed meanwhile. It is /sys, where the kernel is at home.
  const take =
    `tar -C "$1" --one-file-system --xattrs ${left} ${back} -cf '${smallest}.part' .;` +
    ` test $? -le 1 && mv '${smallest}.part' '${smallest}'`;
  const install =
    'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -o DPkg::Chroot-Directory="$1" --yes install ' +
    servers.join(" ");
  const without = unneeded.map((pattern) => `--dpkgopt=path-exclude=${pattern}`);
  const hooks = [take, install].map((hook) => `--customize-hook=${hook}`);
  return await makeOnce(pathOf("bookworm-servers"), [...small, ...hooks, ...without, "bookworm"]);
}

const small = ["--variant=apt", "--include=ca-certificates,mount"];
const servers = ["iperf3", "nginx-light", "postgresql", "redis-server"];

/** What mmdebstrap has in the folder while it works, and takes away or puts back in the end. */
const mmdebstraps = [
  "./dev/*",
  "./etc/apt/apt.conf.d/*mmdebstrap",
  "./etc/dpkg/dpkg.cfg.d/99mmdebstrap",
  "./etc/hostname",
  "./etc/resolv.conf",
  "./tmp/*",
  "./usr/sbin/policy-rc.d",
  "./usr/sbin/start-stop-daemon",
  "./var/cache/apt/*",
  "./var/cache/ldconfig/*",
  "./var/lib/apt/lists/*",
  "./var/log/*.log",
];

/** Manuals, and the compiler that PostgreSQL would have for queries of many seconds. */
const unneeded = [
  "/usr/share/doc/*",
  "/usr/share/man/*",
  "/usr/share/locale/*",
  "/usr/lib/*/libLLVM*",
  "/usr/lib/*/libz3*",
];

/** By one alone: who has waited finds what the other has made. Returns the archive. */
async function makeOnce(archive: string, flags: readonly string[]): Promise<string> {
  if (existsSync(archive)) return archive;
  await mkdir(folder, { recursive: true });
  const part = join(folder, `part-${process.pid}.tar`);
  try {
    const make =
      'archive=$1 part=$2; shift 2; test -e "$archive" || { "$@" "$part" && mv "$part" "$archive"; }';
    const locked = ["flock", `${archive}.lock`, "sh", "-c", make, "sh", archive, part];
    await runCommandOk([...locked, "mmdebstrap", "--quiet", ...flags], { timeoutMs: 600_000 });
  } finally {
    await rm(part, { force: true });
  }
  return archive;
}
