import { posix } from "node:path";
import type { HostConfig, MountRequest } from "../container-config.ts";
import { runtimeFaults } from "../faults.ts";
import type { ResolvedMount } from "./spec-input.ts";
import { parseTmpfsOptions } from "./tmpfs.ts";

/** One value of `-v`: a mount, whose source is a volume's name when it is no absolute path, empty: an anonymous volume. */
export interface BindRequest extends ResolvedMount {
  readonly kind: "bind" | "volume";
  /** Do not fill a new volume with what the image has at `target`. */
  readonly noCopy: boolean;
}

const propagations: ReadonlySet<string> = new Set([
  "private",
  "rprivate",
  "shared",
  "rshared",
  "slave",
  "rslave",
]);
const consistencies: ReadonlySet<string> = new Set(["consistent", "cached", "delegated"]);
const volumeName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/**
 * `[source:]target[:options]`. Options, by commas, at most one of a sort: `ro`/`rw`, a propagation (default `rprivate`),
 * `nocopy`, `z`/`Z` and a consistency (both without effect).
 *
 * @throws {Fault} `invalid-argument` with Docker's words.
 */
export function parseBind(text: string): BindRequest {
  const parts = text.split(":");
  const [first = "", second, mode = ""] = parts;
  if (parts.length > 3 || first === "") throw runtimeFaults.VOLUME_SPEC_INVALID(text);
  const source = second === undefined ? "" : first;
  const target = second ?? first;
  const kind = source.startsWith("/") ? "bind" : "volume";
  const options = parseMountMode(mode);
  const extra = kind === "bind" ? options.noCopy && "VolumeOptions" : options.propagation && "BindOptions";
  if (typeof extra === "string" && extra !== "") {
    throw invalid(kind, `field ${extra} must not be specified`);
  }
  const problem = target === "" ? "field Target must not be empty" : targetProblem(target);
  if (problem !== undefined) throw invalid(kind, problem);
  if (kind === "volume") checkVolumeName(source);
  return {
    kind,
    source: kind === "bind" ? posix.normalize(source) : source,
    target: cleanPath(target),
    readOnly: options.readOnly,
    recursive: true,
    propagation: options.propagation || "rprivate",
    noCopy: options.noCopy,
  };

  function invalid(type: string, reason: string) {
    const { message } = runtimeFaults.MOUNT_INVALID(type, reason);
    return runtimeFaults.VOLUME_SPEC_INVALID(text, message);
  }
}

/**
 * Check one value of `--mount`, as far as that can be done without looking at the host.
 *
 * @throws {Fault} `invalid-argument` with Docker's words.
 */
function checkMountRequest(mount: MountRequest): void {
  checkOptionsOwn(mount);
  const problem = mountProblem(mount);
  if (problem !== undefined) throw runtimeFaults.MOUNT_INVALID(mount.type, problem);
}

/**
 * Check the syntax of all binds, mounts and tmpfs mounts, and that no two have the same target.
 *
 * @throws {Fault} `invalid-argument` with Docker's words.
 */
export function checkMounts(host: Pick<HostConfig, "binds" | "mounts" | "tmpfs">): void {
  const targets = host.binds.map((text) => parseBind(text).target);
  for (const mount of host.mounts) {
    checkMountRequest(mount);
    targets.push(cleanPath(mount.target));
  }
  for (const [target, options] of Object.entries(host.tmpfs)) {
    const problem = targetProblem(target);
    if (problem !== undefined) throw runtimeFaults.TARGET_INVALID(problem);
    parseTmpfsOptions(options);
    targets.push(cleanPath(target));
  }
  const seen = new Set<string>();
  for (const target of targets) {
    if (seen.has(target)) throw runtimeFaults.MOUNT_DUPLICATE(target);
    seen.add(target);
  }
}

/** A path without `.`, `..`, double and trailing slashes. */
export function cleanPath(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith("/") ? normal.slice(0, -1) : normal;
}

function mountProblem(mount: MountRequest): string | undefined {
  if (mount.target === "") return "field Target must not be empty";
  const ofTarget = targetProblem(mount.target);
  if (ofTarget !== undefined) return ofTarget;
  switch (mount.type) {
    case "bind":
      if (mount.source === "") return "field Source must not be empty";
      if (!mount.source.startsWith("/")) return notAbsolute(mount.source);
      return bindProblem(mount);
    case "volume": {
      const isAnonymous = mount.source === "";
      const subpath = mount.volume?.subpath ?? "";
      if (subpath !== "" && isAnonymous) return "must not set Subpath when using anonymous volumes";
      if (!isLocalPath(subpath)) return "subpath must be a relative path within the volume";
      if (isAnonymous && mount.readOnly) return "must not set ReadOnly mode when using anonymous volumes";
      checkVolumeName(mount.source);
      return undefined;
    }
    case "image":
      if (mount.source === "") return "field Source must not be empty";
      if (!isLocalPath(mount.image?.subpath ?? ""))
        return "subpath must be a relative path within the volume";
      return undefined;
    case "tmpfs": {
      if (mount.source !== "") return "field Source must not be specified";
      const problem = tmpfsProblem(mount.tmpfs?.options ?? []);
      if (problem !== undefined) return problem;
      parseTmpfsOptions(tmpfsOptionsOf(mount));
      return undefined;
    }
    default:
      return "mount type unknown";
  }
}

const optionFields = {
  bind: "BindOptions",
  volume: "VolumeOptions",
  image: "ImageOptions",
  tmpfs: "TmpfsOptions",
} as const;

/** None of another sort of mount than it is. Docker lets those of a tmpfs pass. @throws {Fault} `invalid-argument` */
function checkOptionsOwn(mount: MountRequest): void {
  const foreign = (["bind", "volume", "image"] as const).find(
    (sort) => sort !== mount.type && mount[sort] !== undefined,
  );
  if (foreign !== undefined && Object.hasOwn(optionFields, mount.type))
    throw runtimeFaults.MOUNT_OPTIONS_FOREIGN(optionFields[foreign], mount.type);
}

function bindProblem({ bind = {}, readOnly }: MountRequest): string | undefined {
  const { propagation = "", readOnlyNonRecursive, readOnlyForceRecursive } = bind;
  if (propagation !== "" && !propagations.has(propagation)) return `invalid propagation mode: ${propagation}`;
  if (readOnlyForceRecursive !== true) return undefined;
  if (readOnlyNonRecursive === true) {
    return "mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive";
  }
  return readOnly ? undefined : "mount options conflict: ReadOnlyForceRecursive needs ReadOnly";
}

/** Of the options that only `--mount` has. */
function tmpfsProblem(options: readonly (readonly string[])[]): string | undefined {
  for (const [name = "", , ...more] of options) {
    if (name === "" || more.length > 0) return "invalid option array length";
    if (name !== "exec" && name !== "noexec") return `invalid option: ${name}`;
  }
  return undefined;
}

/** Whether a path names something in a folder, going by its text alone; links are another matter. */
function isLocalPath(path: string): boolean {
  return !path.startsWith("/") && !/^\.\.(?:\/|$)/.test(posix.normalize(path));
}

/** The options text of a `--mount type=tmpfs`, in the form that `--tmpfs` has. */
export function tmpfsOptionsOf({ readOnly, tmpfs }: MountRequest): string {
  const options = (tmpfs?.options ?? []).map((pair) => pair.join("="));
  if (readOnly) options.push("ro");
  if (tmpfs?.mode !== undefined && tmpfs.mode !== 0) options.push(`mode=${tmpfs.mode.toString(8)}`);
  if (tmpfs?.sizeBytes !== undefined && tmpfs.sizeBytes !== 0) options.push(`size=${tmpfs.sizeBytes}`);
  return options.join(",");
}

function targetProblem(target: string): string | undefined {
  if (!target.startsWith("/")) return notAbsolute(target);
  return cleanPath(target) === "/" ? "invalid specification: destination can't be '/'" : undefined;
}

function checkVolumeName(name: string): void {
  if (name === "" || volumeName.test(name)) return;
  const reason =
    name.length === 1
      ? "volume name is too short, names should be at least two alphanumeric characters"
      : `"${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`;
  throw runtimeFaults.VOLUME_NAME_INVALID(name, reason);
}

function notAbsolute(path: string): string {
  return `invalid mount path: '${path}' mount path must be absolute`;
}

function parseMountMode(mode: string): {
  readonly readOnly: boolean;
  readonly noCopy: boolean;
  readonly propagation: string;
} {
  const found = { access: "", label: "", propagation: "", copy: "", consistency: "" };
  for (const option of mode === "" ? [] : mode.split(",")) {
    const sort = sortOf(option);
    if (sort === undefined || found[sort] !== "") throw runtimeFaults.MOUNT_MODE_INVALID(mode);
    found[sort] = option;
  }
  return { readOnly: found.access === "ro", noCopy: found.copy !== "", propagation: found.propagation };
}

function sortOf(option: string): "access" | "label" | "propagation" | "copy" | "consistency" | undefined {
  if (option === "ro" || option === "rw") return "access";
  if (option === "z" || option === "Z") return "label";
  if (option === "nocopy") return "copy";
  if (consistencies.has(option)) return "consistency";
  return propagations.has(option) ? "propagation" : undefined;
}
