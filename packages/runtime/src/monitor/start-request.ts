import { join } from "node:path";
import type { HostBind } from "../bind-places.ts";
import type { OwnerMaps } from "../spec/spec-input.ts";
import type { FieldValue } from "./frame.ts";

/** What a monitor needs to start its container: the message `start` of `docs/contracts/monitor-protocol.md`. */
export interface StartRequest {
  readonly id: string;
  /** Run directory, with `config.json` in it. */
  readonly dir: string;
  /** Where to mount the root: `root.path` of `config.json`. */
  readonly rootfs: string;
  readonly overlay: {
    /** Topmost first. */
    readonly lower: readonly string[];
    readonly upper: string;
    readonly work: string;
    readonly options?: readonly string[];
  };
  /** Whose the root's files are seen to be; absent: as on the disk. */
  readonly owners?: OwnerMaps;
  /**
   * What the monitor mounts at `<dir>/shm` for `config.json` to bind: a tmpfs with these options, or what the monitor of another
   * run directory has there.
   */
  readonly shm?: { readonly options: string } | { readonly from: string; readonly monitorPid: number };
  /** What the monitor brings from the host to `<dir>/binds/<n>`, in this order: `placeBinds`. */
  readonly binds?: readonly HostBind[];
  /** Absolute path of the OCI runtime. */
  readonly runtime: string;
  /** Its global arguments. */
  readonly runtimeArgs: readonly string[];
  /** Clean up with the runtime's own `delete`: for runtimes whose state the monitor does not know. */
  readonly runtimeDelete: boolean;
  /** How long it may take for a start or an exec; absent: for ever. */
  readonly runtimeDeadlineMs?: number;
  /** `cgroupsOf(...).folders` */
  readonly cgroups: readonly string[];
  /** Absent: no log. */
  readonly log?: { readonly path: string; readonly maxSizeBytes: number; readonly maxFiles: number };
  readonly exitRecord: string;
  /** The exit record is on disk before anyone is told. */
  readonly durable: boolean;
  readonly tty: boolean;
  /** First size of the terminal; 0: the runtime's. */
  readonly height: number;
  readonly width: number;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  /** Attaches to wait for before the first process starts. */
  readonly attachCount: number;
}

export function startFields(request: StartRequest): Readonly<Record<string, FieldValue>> {
  const { overlay, log, binds = [] } = request;
  const ofBinds = (values: (bind: HostBind) => readonly string[] | string | undefined) =>
    binds.flatMap((bind, index) => [values(bind) ?? []].flat().map((value) => `${index}:${value}`));
  return {
    protocol: 1,
    id: request.id,
    dir: request.dir,
    rootfs: request.rootfs,
    lower: overlay.lower,
    upper: overlay.upper,
    work: overlay.work,
    "overlay-option": overlay.options ?? [],
    uids: request.owners?.uids,
    gids: request.owners?.gids,
    ...shmFields(request.shm),
    bind: binds.map(({ path }) => path),
    "bind-option": ofBinds(({ options }) => options),
    "bind-within": ofBinds(({ subpath }) => subpath),
    "bind-layer": ofBinds(({ layers }) => layers),
    "bind-upper": ofBinds(({ writable }) => writable?.upper),
    "bind-work": ofBinds(({ writable }) => writable?.work),
    "bind-uids": ofBinds(({ owners }) => owners?.uids),
    "bind-gids": ofBinds(({ owners }) => owners?.gids),
    runtime: request.runtime,
    "runtime-arg": request.runtimeArgs,
    "runtime-deadline": request.runtimeDeadlineMs,
    "runtime-delete": request.runtimeDelete,
    cgroup: request.cgroups,
    ...(log && { log: log.path, "log-max-size": log.maxSizeBytes, "log-max-files": log.maxFiles }),
    "exit-record": request.exitRecord,
    durable: request.durable,
    tty: request.tty,
    height: request.height || undefined,
    width: request.width || undefined,
    stdin: request.stdin,
    "stdin-once": request.stdinOnce,
    attach: request.attachCount || undefined,
  };
}

function shmFields(shm: StartRequest["shm"]): Readonly<Record<string, FieldValue>> {
  if (shm === undefined) return {};
  return "options" in shm
    ? { shm: shm.options }
    : { "shm-from": join(shm.from, "shm"), "shm-monitor": shm.monitorPid };
}
