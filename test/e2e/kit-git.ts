import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { openTempDir } from "@hawser/base/testing";
import { runCommandOk } from "./kit-process.ts";

/** A repository on this machine, and a server that gives it to whoever asks. */
export interface TestRepository extends AsyncDisposable {
  /** Its checked-out files. */
  readonly folder: string;
  /** `git://…` */
  readonly address: string;
  /** Run git in it. Returns what that prints. */
  git(...args: readonly string[]): Promise<string>;
}

export async function openRepository(): Promise<TestRepository> {
  const dir = await openTempDir();
  const folder = join(dir.path, "repository");
  const env = { ...process.env, HOME: dir.path, GIT_CONFIG_NOSYSTEM: "1" };
  const git: TestRepository["git"] = (...args) =>
    runCommandOk(["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", folder, ...args], { env });
  await mkdir(folder);
  await git("init", "-q", "-b", "main");
  const server = createServer((socket) => {
    const served = spawn("git", ["daemon", "--inetd", "--export-all", `--base-path=${dir.path}`, dir.path], {
      stdio: ["pipe", "pipe", "ignore"],
      env,
    });
    socket.pipe(served.stdin);
    served.stdout.pipe(socket);
    served.stdin.on("error", () => {});
    socket.on("error", () => served.kill());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    folder,
    address: `git://127.0.0.1:${(server.address() as AddressInfo).port}/repository`,
    git,
    async [Symbol.asyncDispose]() {
      server.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}
