import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** The top of the tree. */
export const root: string = join(import.meta.dirname, "..");

/** Paths, from the top, of the files that git tracks or would track, in order. */
export function listFiles(wanted: (path: string) => boolean): string[] {
  const out = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    maxBuffer: 1 << 26,
  });
  const paths = out
    .toString()
    .split("\0")
    .filter((path) => path !== "" && wanted(path));
  return [...new Set(paths)].filter((path) => existsSync(join(root, path))).toSorted();
}

/** Ends the program where only the product was set up, saying what is to be done. */
export function requireTestPackages(): void {
  if (existsSync(join(root, "node_modules/typescript"))) return;
  console.error("What checks and tests need is not installed. Run:  ./hawser setup --tests");
  process.exit(2);
}
