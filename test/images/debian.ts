import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../../tools/tree.ts";
import { runCommandOk } from "../e2e/kit-process.ts";

/**
 * A minimal Debian root file system as a tar archive, made with mmdebstrap from Debian's registry the first time (half a
 * minute) and kept in build/test-images. Serves as an image (`docker import`) wherever a test needs bash and coreutils, and
 * as the disk of a fresh machine.
 */
export async function debianArchive(options: {
  readonly suite: "bookworm" | "trixie";
  /** Packages beyond the variant's. */
  readonly include?: readonly string[];
  /** `minbase` (the default) can install packages; `essential` is half its size: bash and coreutils, no apt, no manuals. */
  readonly variant?: "minbase" | "essential";
}): Promise<string> {
  const include = options.include ?? [];
  const variant = options.variant ?? "minbase";
  const folder = join(root, "build/test-images");
  const name = variant === "minbase" ? options.suite : `${options.suite}-${variant}`;
  const archive = join(folder, [name, ...include].join("+").concat(".tar"));
  if (existsSync(archive)) return archive;
  await mkdir(folder, { recursive: true });
  const part = join(folder, `part-${process.pid}.tar`);
  try {
    // Each by one alone: who has waited finds what the other has made.
    const make =
      'archive=$1 part=$2; shift 2; test -e "$archive" || { "$@" "$part" && mv "$part" "$archive"; }';
    const locked = ["flock", `${archive}.lock`, "sh", "-c", make, "sh", archive, part];
    const extra = include.length === 0 ? [] : [`--include=${include.join(",")}`];
    const without =
      variant === "minbase" ? [] : unneeded.map((pattern) => `--dpkgopt=path-exclude=${pattern}`);
    const flags = [`--variant=${variant}`, ...extra, ...without];
    await runCommandOk([...locked, "mmdebstrap", "--quiet", ...flags, options.suite], {
      timeoutMs: 600_000,
    });
  } finally {
    await rm(part, { force: true });
  }
  return archive;
}

/** Debian with servers to start as they are: the root of images for tests of whole stacks, and of throughput. */
export const serversArchive = (): Promise<string> =>
  debianArchive({
    suite: "bookworm",
    variant: "essential",
    include: ["iperf3", "nginx-light", "postgresql", "redis-server"],
  });

/** Manuals, and the compiler that PostgreSQL would have for queries of many seconds. */
const unneeded = [
  "/usr/share/doc/*",
  "/usr/share/man/*",
  "/usr/share/locale/*",
  "/usr/lib/*/libLLVM*",
  "/usr/lib/*/libz3*",
];
