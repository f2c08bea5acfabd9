import { createHash } from "node:crypto";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KeyedMutex, runProgram } from "@hawser/base";
import type { GitReference } from "@hawser/build";
import { buildFaults } from "./faults.ts";

export interface GitCheckout {
  /** Full id of the commit. */
  readonly commit: string;
  readonly committedAtMs: number;
}

/**
 * Repositories that builds use, fetched once and then only what is new. The remote side is not trusted: nothing of it is executed,
 * no other transport is taken than those for nets.
 */
export class GitRepositories {
  readonly #folder: string;
  readonly #locks = new KeyedMutex();

  constructor({ folder }: { readonly folder: string }) {
    this.#folder = folder;
  }

  /**
   * Check a commit out into `into`, which is made, with all repositories that are parts of it (submodules).
   *
   * @param options.keepsGitDir with `.git`, as `ADD --keep-git-dir`
   * @throws {Fault} `unavailable` when git is missing or the remote does not give it
   */
  async checkout(
    { url, ref = "HEAD" }: GitReference,
    options: { readonly into: string; readonly keepsGitDir: boolean; readonly signal: AbortSignal },
  ): Promise<GitCheckout> {
    if (url.startsWith("-") || ref.startsWith("-")) throw buildFaults.GIT_FAILED(url, "it begins with -");
    const { into, keepsGitDir, signal } = options;
    const key = createHash("sha256").update(url).digest("hex");
    return await this.#locks.run(key, async () => {
      const repository = join(this.#folder, key);
      const git = createGit({ url, home: this.#folder, signal });
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      // There while git works: what was not brought to an end, also by a crash, may be half done, or locked for good.
      const unfinished = `${repository}.unfinished`;
      if (await exists(unfinished)) await rm(repository, { recursive: true, force: true });
      await writeFile(unfinished, "");
      if (!(await exists(repository))) await git(["init", "-q", "--bare", repository]);
      const commit = await fetchCommit(git, { repository, url, ref });
      await mkdir(into, { recursive: true, mode: 0o755 });
      const at = `--git-dir=${repository}`;
      const hasParts = (await git([at, "ls-tree", "--name-only", commit, "--", ".gitmodules"])) !== "";
      if (keepsGitDir || hasParts) {
        await git(["init", "-q", into]);
        await git(["-C", into, "fetch", "-q", "--depth=1", `file://${repository}`, commit]);
        await git(["-C", into, "checkout", "-q", "--force", commit]);
        // An address in `.gitmodules` may be relative to that of the repository.
        await git(["-C", into, "config", "remote.origin.url", url]);
      } else {
        // `checkout` writes an index beside the repository; the lock makes it this one's alone.
        await git([at, `--work-tree=${into}`, "checkout", "-q", "--force", commit, "--", "."]);
      }
      if (hasParts) {
        await git(["-C", into, "submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"]);
        if (!keepsGitDir) await removeGitDirs(into);
      }
      const time = await git([at, "show", "-s", "--format=%ct", commit]);
      await rm(unfinished);
      return { commit, committedAtMs: Number(time) * 1000 };
    });
  }

  /** Remove what no build works with. */
  async clear(): Promise<void> {
    for (const name of await readdir(this.#folder).catch(() => [])) {
      const key = name.replace(/\.unfinished$/, "");
      if (this.#locks.isTaken(key)) continue;
      await this.#locks.run(key, () => rm(join(this.#folder, name), { recursive: true, force: true }));
    }
  }
}

/** Git takes nothing of that name into a commit, so it is its own. */
async function removeGitDirs(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.name === ".git") await rm(path, { recursive: true, force: true });
    else if (entry.isDirectory()) await removeGitDirs(path);
  }
}

type Git = (args: readonly string[]) => Promise<string>;

/** The commit that a branch, a tag or an id means, fetched. */
async function fetchCommit(
  git: Git,
  { repository, url, ref }: { readonly repository: string; readonly url: string; readonly ref: string },
): Promise<string> {
  const at = `--git-dir=${repository}`;
  const isId = /^[0-9a-f]{40}$/.test(ref);
  if (isId) {
    const kept = await git([at, "cat-file", "-t", ref]).catch(() => "");
    if (kept.trim() === "commit") return ref;
  }
  try {
    await git([at, "fetch", "-q", "--depth=1", "--force", "--no-tags", "--", url, ref]);
  } catch (error) {
    // Not every server gives a commit that is no branch's end; and an id may be shortened.
    if (!/^[0-9a-f]{7,40}$/.test(ref)) throw error;
    await git([
      at,
      "fetch",
      "-q",
      "--force",
      "--",
      url,
      "+refs/heads/*:refs/heads/*",
      "+refs/tags/*:refs/tags/*",
    ]);
    return (await git([at, "rev-parse", "--verify", `${ref}^{commit}`])).trim();
  }
  return (await git([at, "rev-parse", "--verify", "FETCH_HEAD^{commit}"])).trim();
}

function createGit(at: { readonly url: string; readonly home: string; readonly signal: AbortSignal }): Git {
  const { url, home, signal } = at;
  const settings = {
    "protocol.ext.allow": "never",
    "core.hooksPath": "/dev/null",
    "core.symlinks": "true",
    "advice.detachedHead": "false",
    "init.defaultBranch": "main",
    "safe.directory": "*",
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const env = {
    PATH: process.env["PATH"],
    HOME: home,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_SSH_COMMAND: "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new",
    LC_ALL: "C",
  };
  return async (args) => {
    const { exitCode, stdout, stderr } = await runProgram(["git", ...flags, ...args], { env, signal });
    if (exitCode !== 0) throw buildFaults.GIT_FAILED(withoutPassword(url), withoutPassword(stderr.trim()));
    return stdout;
  };
}

function withoutPassword(text: string): string {
  return text.replace(/\/\/[^/@\s]*@/g, "//");
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
