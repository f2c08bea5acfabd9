import { existsSync } from "node:fs";
import { chmod, chown, lstat, mkdir, rename, writeFile } from "node:fs/promises";
import { basename, dirname, join, posix } from "node:path";
import { errnoOf, Fault } from "@hawser/base";
import type { ExecMount, ExecOp } from "@hawser/build";
import { type FilesRoot, openArchive, statPath, writeArchive } from "@hawser/store";
import type { Collaborators } from "../containers/collaborators.ts";
import type { ContainerId, ContainerMount } from "../containers/container-record.ts";
import { mountSnapshotOf } from "../containers/plan-mounts.ts";
import { openAgentSocket } from "./agent-socket.ts";
import type { BuildState } from "./build-state.ts";
import { rootOfState } from "./buildkit/result-files.ts";
import { folderNameOf } from "./cache-mounts.ts";
import { buildFaults } from "./faults.ts";
import type { ProcessWork } from "./run-process.ts";

/** The folders and files that `--mount` brings in. */
export async function prepareMounts(
  collaborators: Collaborators,
  op: Pick<ExecOp, "mounts">,
  work: Omit<ProcessWork, "output" | "onContainer"> & {
    readonly prepared: AsyncDisposableStack;
    readonly id: ContainerId;
  },
): Promise<{ readonly mounts: readonly ContainerMount[]; readonly env: readonly string[] }> {
  const mounts: ContainerMount[] = [];
  const env: string[] = [];
  const findSecret = async ({ id, isRequired }: { readonly id: string; readonly isRequired: boolean }) => {
    const secret = await work.files.secret(id);
    if (secret === undefined && isRequired) throw buildFaults.SECRET_MISSING(id);
    return secret;
  };
  const add = (source: string, target: string, readOnly: boolean) =>
    mounts.push({
      type: "bind",
      source,
      target,
      readOnly,
      recursive: true,
      propagation: "rprivate",
      mode: "",
    });
  for (const [number, mount] of op.mounts.entries()) {
    switch (mount.kind) {
      case "tmpfs":
        break;
      case "cache": {
        const name = folderNameOf(mount, work.inputs);
        work.prepared.use(work.caches.use(name));
        add(await openCache(collaborators, { mount, name, number }, work), mount.target, mount.readOnly);
        break;
      }
      case "secret": {
        const bytes = await findSecret(mount);
        if (bytes === undefined) break;
        add(await writeRunFile(work, `${number}`, { ...mount, bytes }), mount.target, true);
        break;
      }
      case "secret-variable": {
        const bytes = await findSecret(mount);
        if (bytes !== undefined) env.push(`${mount.name}=${Buffer.from(bytes).toString()}`);
        break;
      }
      case "ssh": {
        const socket = await openAgentSocket(mount, { ...work, name: `${number}` });
        if (socket === undefined) {
          if (mount.isRequired) throw buildFaults.AGENT_MISSING(mount.id);
          break;
        }
        work.prepared.use(socket);
        add(socket.path, mount.target, false);
        break;
      }
      case "text": {
        const bytes = Buffer.from(mount.content);
        add(
          await writeRunFile(work, `${number}`, { bytes, mode: 0o755, uid: 0, gid: 0 }),
          mount.target,
          true,
        );
        break;
      }
      case "bind": {
        const { source, target, readOnly } = mount;
        const input = work.inputs[mount.input];
        if (input?.kind !== "context") {
          mounts.push(await mountFiles(collaborators, { input, source, target, readOnly, number }, work));
          break;
        }
        const place = join(work.runDir, `${number}`);
        const { root } = input.context;
        const real = input.context.resolve(source);
        add(await bringSource({ root, source: real, place }, work), target, readOnly);
      }
    }
  }
  return { mounts, env };
}

/**
 * The folder of a cache. When it is made it gets its rights, or the files that it begins with; it is there as a whole, or not at all.
 */
async function openCache(
  { snapshots }: Collaborators,
  {
    mount: { files, rights = { mode: 0o755, uid: 0, gid: 0 } },
    name,
    number,
  }: {
    readonly mount: Extract<ExecMount, { readonly kind: "cache" }>;
    readonly name: string;
    readonly number: number;
  },
  { caches, runDir, inputs, signal }: Pick<ProcessWork, "caches" | "runDir" | "inputs" | "signal">,
): Promise<string> {
  const folder = caches.folderOf(name);
  if (existsSync(folder)) return folder;
  const place = join(runDir, `${number}`);
  await mkdir(dirname(folder), { recursive: true });
  let made = place;
  if (files === undefined) {
    await mkdir(place, { recursive: true });
    await chown(place, rights.uid, rights.gid);
    await chmod(place, rights.mode & 0o7777);
  } else {
    const root = rootOfState(inputs[files.input] ?? { kind: "files" }, snapshots);
    made = await bringSource({ root, source: files.source, place }, { signal });
    if (!(await lstat(made)).isDirectory()) throw buildFaults.SOURCE_NO_FOLDER(files.source);
  }
  await rename(made, folder).catch((error: unknown) => {
    if (!["ENOTEMPTY", "EEXIST"].includes(errnoOf(error) ?? "")) throw error; // another process has just made it
  });
  return folder;
}

/**
 * A part of a file system as it is: what a process writes is in a snapshot, which goes with the container. No link leads out of it.
 */
async function mountFiles(
  { snapshots }: Collaborators,
  mount: {
    readonly input: BuildState | undefined;
    readonly source: string;
    readonly target: string;
    readonly readOnly: boolean;
    readonly number: number;
  },
  {
    prepared,
    id,
    signal,
  }: { readonly prepared: AsyncDisposableStack; readonly id: ContainerId; readonly signal: AbortSignal },
): Promise<ContainerMount> {
  const { input, source, target, readOnly, number } = mount;
  const chainId = input?.kind === "files" ? input.chainId : undefined;
  const subpath = posix.resolve("/", source).slice(1);
  if (subpath !== "") {
    const lower = snapshots.lowerFolders(chainId);
    const isThere = await statPath({ kind: "layers", lower }, `/${subpath}`, { signal }).then(
      () => true,
      (error: unknown) => {
        if (Fault.is(error, "not-found") || Fault.is(error, "invalid-argument")) return false;
        throw error;
      },
    );
    if (!isThere) throw buildFaults.MOUNT_SOURCE_MISSING(`/${subpath}`);
  }
  const snapshot = mountSnapshotOf(id, number);
  await snapshots.prepare(snapshot, chainId);
  prepared.defer(() => snapshots.remove(snapshot)); // where no container has come to own it
  return {
    type: "image",
    source: chainId ?? "scratch",
    target,
    readOnly,
    recursive: true,
    propagation: "rprivate",
    mode: "",
    ...(subpath !== "" && { subpath }),
    image: { id: chainId ?? "", snapshot },
  };
}

async function writeRunFile(
  { runDir }: Pick<ProcessWork, "runDir">,
  name: string,
  file: { readonly bytes: Uint8Array; readonly mode: number; readonly uid: number; readonly gid: number },
): Promise<string> {
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  const path = join(runDir, name);
  await writeFile(path, file.bytes, { mode: file.mode });
  await chown(path, file.uid, file.gid);
  return path;
}

/**
 * A part of some files as a folder or file of this run's own: what a process does to it is lost, and no link in it leads to
 * the host.
 */
async function bringSource(
  { root, source, place }: { readonly root: FilesRoot; readonly source: string; readonly place: string },
  { signal }: Pick<ProcessWork, "signal">,
): Promise<string> {
  const path = posix.normalize(`/${source}`);
  await mkdir(place, { recursive: true, mode: 0o700 });
  const name = basename(path);
  await using opened = await openArchive(root, path, { signal });
  const target = { kind: "folder", path: place } as const;
  await writeArchive(target, opened.archive, { path: "/", keepKinds: false, keepFolder: false, signal });
  const brought = join(place, name);
  const stats = await lstat(brought);
  if (!stats.isDirectory() && !stats.isFile()) throw buildFaults.SOURCE_MISSING(path);
  return brought;
}
