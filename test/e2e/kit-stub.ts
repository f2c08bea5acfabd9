import { cp, mkdir, readdir, readFile, stat } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { eventually, openTempDir } from "@hawser/base/testing";
import { root } from "../../tools/tree.ts";
import { descriptorsOf } from "./kit-idle.ts";
import { findProcesses } from "./kit-proc.ts";
import { runCommand } from "./kit-process.ts";

/** `hawser` as users start it, with a resident client of this test's own. */
export interface Stub extends AsyncDisposable {
  /** Words before the verb. */
  readonly argv: readonly string[];
  /** Where the client is that the stub becomes, and that the resident one is of. */
  readonly client: string;
  /** What makes the stub look for this resident client and no other. */
  readonly env: Readonly<Record<string, string>>;
  residents(): number[];
  /** Have a resident client, by a command that needs none, and wait until it listens. */
  openResident(): Promise<void>;
}

export async function openStub(): Promise<Stub> {
  const dir = await openTempDir("hawser-stub-");
  const [client, folder] = [join(dir.path, "client"), join(dir.path, "run")];
  await cp(join(root, "dist/cli"), client, { recursive: true });
  await mkdir(folder, { mode: 0o700 });
  const argv = [join(root, "build/native/hawser-stub"), process.execPath, client];
  const env = { XDG_RUNTIME_DIR: folder };
  // Its title has replaced its command line, so it is known by its lock.
  const holders = async () => {
    const locks = (await readdir(folder)).filter((name) => name.endsWith(".lock"));
    const inodes = await Promise.all(locks.map(async (name) => (await stat(join(folder, name))).ino));
    const taken = (await readFile("/proc/locks", "utf8")).split("\n").map((line) => line.trim().split(/\s+/));
    // A file of another file system may have the same number.
    const isOpen = (pid: number) => descriptorsOf(pid).some((path) => path.startsWith(`${folder}/`));
    return taken
      .filter(
        ([, kind, , , , place = ""]) => kind === "FLOCK" && inodes.includes(Number(place.split(":")[2])),
      )
      .map(([, , , , pid]) => Number(pid))
      .filter(isOpen);
  };
  let known: number[] = [];
  const residents = () => findProcesses(({ pid }) => known.includes(pid)).map(({ pid }) => pid);
  return {
    argv,
    client,
    env,
    residents,
    async openResident() {
      const start = async () => {
        // One that was killed may still have had its lock when the last command wanted another one.
        if ((await holders()).length === 0)
          await runCommand([...argv, "--version"], { env: { ...process.env, ...env } });
        return await listens(folder);
      };
      await eventually(start, { deadlineMs: 20_000, what: "the resident client listens" });
      known = await holders();
    },
    async [Symbol.asyncDispose]() {
      known = await holders();
      for (const pid of known) process.kill(pid, "SIGKILL");
      await eventually(() => residents().length === 0, { what: "the resident client has ended" });
      await dir[Symbol.asyncDispose]();
    },
  };
}

async function listens(folder: string): Promise<boolean> {
  const [name] = (await readdir(folder)).filter((entry) => !entry.endsWith(".lock"));
  if (name === undefined) return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(join(folder, name), () => resolve(true));
  socket.on("error", () => resolve(false));
  const answers = await promise;
  socket.destroy();
  return answers;
}
