import { lstatSync } from "node:fs";
import { dirname, join } from "node:path";
import { compileIgnorePatterns, runProgram } from "@hawser/base";
import type { Environment } from "../options/environment-option.ts";
import type { ContextFolder } from "./build-context.ts";

/**
 * When the files of a folder were committed, where it is a clean checkout. What `.dockerignore` leaves out may be changed.
 *
 * @returns seconds since 1970; `undefined`: it is no checkout, it has been changed, or there is no git to ask
 */
export async function commitTimeOf(
  { path, ignore }: Pick<ContextFolder, "path" | "ignore">,
  environment: Environment,
): Promise<number | undefined> {
  if (!isBelowCheckout(path)) return undefined;
  const env = { ...environment, GIT_OPTIONAL_LOCKS: "0", LC_ALL: "C" };
  // Of the repository whose hook this is called by, which need not be the folder's.
  for (const name of hookVariables) delete env[name as keyof typeof env];
  const git = async (...args: string[]) => {
    const { exitCode, stdout } = await runProgram(
      ["git", "-C", path, "-c", "core.fsmonitor=false", ...args],
      {
        env,
        maxOutputBytes,
      },
    );
    return exitCode === 0 ? stdout : undefined;
  };
  try {
    const [time, place, changes] = await Promise.all([
      git("show", "-s", "--format=%ct", "HEAD"),
      git("rev-parse", "--show-prefix", "HEAD:./"), // fails where the commit has nothing of the folder
      git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", "."),
    ]);
    if (time === undefined || place === undefined || changes === undefined) return undefined;
    const seconds = Number(time);
    if (!Number.isSafeInteger(seconds) || seconds < 0 || changes.length >= maxOutputBytes) return undefined;
    const prefix = place.slice(0, place.indexOf("\n"));
    const patterns = compileIgnorePatterns(ignore);
    const isClean = changes
      .split("\0")
      .filter((line) => line !== "")
      .every((line) => patterns.ignores(line.slice("XY ".length + prefix.length).replace(/\/$/, "")));
    return isClean ? seconds : undefined;
  } catch {
    return undefined; // no git here: a build does not need it
  }
}

const maxOutputBytes = 1 << 20;

const hookVariables = [
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_PREFIX",
  "GIT_COMMON_DIR",
  "GIT_OBJECT_DIRECTORY",
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
];

/** Without asking git: most folders are in no checkout, and a process costs more than all the rest of a small build. */
function isBelowCheckout(path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if (lstatSync(join(folder, ".git"), { throwIfNoEntry: false }) !== undefined) return true;
    if (dirname(folder) === folder) return false;
  }
}
