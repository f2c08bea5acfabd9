import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
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
  /** Packages beyond the minimal ones. */
  readonly include?: readonly string[];
}): Promise<string> {
  const include = options.include ?? [];
  const folder = join(root, "build/test-images");
  const archive = join(folder, [options.suite, ...include].join("+").concat(".tar"));
  if (existsSync(archive)) return archive;
  await mkdir(folder, { recursive: true });
  const part = join(folder, `part-${process.pid}.tar`);
  try {
    const extra = include.length === 0 ? [] : [`--include=${include.join(",")}`];
    await runCommandOk(["mmdebstrap", "--quiet", "--variant=minbase", ...extra, options.suite, part], {
      timeoutMs: 300_000,
    });
    await rename(part, archive);
  } finally {
    await rm(part, { force: true });
  }
  return archive;
}
