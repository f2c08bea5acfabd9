import { mkdirSync, writeFileSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "@hawser/base";
import type { Monitor } from "@hawser/runtime";
import type { Container } from "./container.ts";
import type { ContainerId } from "./container-record.ts";
import { type ExecConfig, ExecSession } from "./exec-session.ts";
import { type ContainerHost, runDirOf } from "./host.ts";

/**
 * What outlives the engine of a container's execs, on tmpfs, in its run directory:
 *
 *     exec/<id>.session.json   ExecConfig, written when the exec is created
 *     exec/<id>.process.json   the OCI process, written when it starts
 *     exec/<id>                exit code, written by the monitor
 */
export function execDirOf(host: ContainerHost, id: ContainerId): string {
  return join(runDirOf(host, id), "exec");
}

/** Keep an exec, so that the next engine knows its id too. */
export function writeExecRecord(host: ContainerHost, session: ExecSession): void {
  writeExecFile(host, session, { kind: "session", text: JSON.stringify(session.config) });
}

/**
 * Write a file of an exec's; returns its path. At once: on tmpfs that takes a tenth of what the way to a thread and back
 * does, and a client waits.
 */
export function writeExecFile(
  host: ContainerHost,
  { id, containerId }: Pick<ExecSession, "id" | "containerId">,
  { kind, text }: { readonly kind: "session" | "process"; readonly text: string },
): string {
  const dir = execDirOf(host, containerId);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, `${id}.${kind}.json`);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** Execs that have ended and are still known, a container: a script that runs exec without end must not fill the memory. */
const maxEnded = 256;

/** Forget the execs that ended longest ago, beyond what is remembered, and remove their files. */
export async function forgetOldExecs(host: ContainerHost, container: Container): Promise<void> {
  const ended = [...container.execs.values()].filter(({ phase }) => phase === "ended");
  for (const { id } of ended.slice(0, -maxEnded)) {
    container.execs.delete(id);
    await removeExecFiles(host, { id, containerId: container.id });
  }
}

/** Remove what an exec left in the run directory. */
export async function removeExecFiles(
  host: ContainerHost,
  { id, containerId }: Pick<ExecSession, "id" | "containerId">,
): Promise<void> {
  const path = join(execDirOf(host, containerId), id);
  await Promise.all(
    [path, `${path}.session.json`, `${path}.process.json`].map((file) => rm(file, { force: true })),
  );
}

/** The execs of a container whose monitor was found again, each in the phase that it is in now. */
export async function readExecRecords(
  host: ContainerHost,
  found: { readonly id: ContainerId; readonly monitor: Monitor },
): Promise<ExecSession[]> {
  const dir = execDirOf(host, found.id);
  const running = new Map(found.monitor.execs.map(({ id, pid }) => [id, pid]));
  const names = (await readFolder(dir)).filter((name) => name.endsWith(".session.json"));
  const sessions = await Promise.all(
    names.map(async (name) => {
      const id = name.slice(0, -".session.json".length);
      const config = parseExecConfig(await readFile(join(dir, name), "utf8"));
      if (config === undefined) return undefined;
      const session = new ExecSession(id, found.id, config);
      const pid = running.get(id);
      const exitCode = await readExitCode(join(dir, id));
      if (exitCode !== undefined) session.settle(exitCode);
      else if (pid !== undefined) Object.assign(session, { phase: "running", pid });
      return session;
    }),
  );
  return sessions.filter((session) => session !== undefined);
}

/** `undefined` for what an engine that died had not written to its end, and so had not acknowledged. */
function parseExecConfig(text: string): ExecConfig | undefined {
  try {
    return JSON.parse(text) as ExecConfig;
  } catch {
    return undefined;
  }
}

async function readFolder(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

async function readExitCode(path: string): Promise<number | undefined> {
  try {
    return Number.parseInt(await readFile(path, "utf8"), 10);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
