import { posix } from "node:path";
import {
  CacheSharing,
  type ExecOp as DefinedExecOp,
  type Meta,
  type Mount,
  MountType,
  NetMode,
  SecurityMode,
} from "../grpc/generated/llb_pb.ts";
import { createVertex, type ExecMount, type ExecOp, outputOf, type Vertex } from "../plan/vertex.ts";
import { proxyVariables } from "../planner/variables.ts";
import { invalid, llbFaults } from "./faults.ts";

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const maxMounts = 1000;

/**
 * The results of an exec op: one for each mount that gives one, the root among them.
 *
 * @param entitlements what the client lets the graph do beyond its sandbox
 * @throws {Fault} `invalid-argument`, `permission-denied`, `not-implemented`
 */
export function planExec(
  defined: DefinedExecOp,
  inputs: readonly (Vertex | undefined)[],
  entitlements: readonly string[],
): readonly (Vertex | undefined)[] {
  const { meta, mounts, network, security, secretEnv, cdiDevices } = defined;
  if (meta === undefined || meta.args.length === 0) throw invalid("an exec op has no args");
  if (mounts.length > maxMounts) throw invalid(`an exec op has more than ${maxMounts} mounts`);
  if (cdiDevices.length > 0) throw llbFaults.DEFINITION_FOREIGN("a device for a build's process");
  if (network !== NetMode.UNSET && network !== NetMode.HOST && network !== NetMode.NONE) {
    throw invalid(`network mode ${network}`);
  }
  const isInsecure = security === SecurityMode.INSECURE;
  const needed = [
    ...(network === NetMode.HOST ? ["network.host"] : []),
    ...(isInsecure ? ["security.insecure"] : []),
  ];
  for (const name of needed) if (!entitlements.includes(name)) throw llbFaults.NOT_ALLOWED(name);

  const inputOf = ({ input }: Mount) => {
    if (input < -1n || input >= inputs.length) throw invalid(`there is no input ${input} of a mount`);
    return inputs[Number(input)];
  };
  const placed = mounts
    .map((mount) => ({ mount, target: posix.resolve("/", mount.dest) }))
    .toSorted((a, b) => (a.target < b.target ? -1 : a.target > b.target ? 1 : 0));
  const [root, ...others] = placed;
  if (root?.target !== "/" || root.mount.mountType !== MountType.BIND) {
    throw invalid("an exec op has no rootfs");
  }
  if (!["", "/"].includes(root.mount.selector)) {
    throw llbFaults.DEFINITION_FOREIGN("a part of a file system as a process' root");
  }
  if (others[0]?.target === "/") throw invalid("an exec op has several roots");

  const used: (Vertex | undefined)[] = [inputOf(root.mount)];
  const planned: ExecMount[] = secretEnv.map(({ id, name, optional }) => ({
    kind: "secret-variable",
    id,
    name,
    isRequired: !optional,
  }));
  /** Where each result comes from: a mount that is changed, by number, -1 the root; or what nobody can change. */
  const results = new Map<number, { readonly mount: number } | { readonly vertex: Vertex | undefined }>();
  const note = (mount: Mount, at: number) => {
    if (mount.output < 0n) return;
    const index = Number(mount.output);
    if (results.has(index)) throw invalid(`an exec op gives its result ${index} twice`);
    results.set(index, mount.readonly ? { vertex: inputOf(mount) } : { mount: at });
  };
  note(root.mount, -1);
  for (const { mount, target } of others) {
    const { mountType } = mount;
    if (mountType === MountType.BIND) note(mount, planned.length);
    planned.push(planMount(mount, target, () => used.push(inputOf(mount)) - 1));
  }
  const changed = Array.from({ length: results.size }, (_, index) => {
    const result = results.get(index);
    if (result === undefined) throw invalid(`an exec op does not give its result ${index}`);
    return result;
  });
  const outputs = changed.flatMap((result) => ("mount" in result ? [result.mount] : []));
  const op: ExecOp = {
    kind: "exec",
    ...processOf(meta),
    network: network === NetMode.HOST ? "host" : network === NetMode.NONE ? "none" : "default",
    privileged: isInsecure,
    mounts: planned,
    ...(root.mount.readonly && { readOnlyRoot: true }),
    ...((outputs.length !== 1 || outputs[0] !== -1) && { outputs }),
  };
  const vertex = createVertex(op, used);
  let at = 0;
  return changed.map((result) => {
    if (!("mount" in result)) return result.vertex;
    return outputs.length === 1 ? vertex : outputOf(vertex, at++);
  });
}

function processOf(meta: Meta) {
  const { args, env, cwd, user, proxyEnv, extraHosts, hostname, ulimit, cgroupParent, validExitCodes } = meta;
  const hosts = extraHosts.map(({ host, ip }) => `${host}:${ip}`);
  const ulimits = ulimit.map(({ name, soft, hard }) => ({ name, soft: Number(soft), hard: Number(hard) }));
  return {
    args,
    env: env.some((text) => text.startsWith("PATH=")) ? env : [defaultPath, ...env],
    hiddenEnv: proxyVariables({
      http_proxy: proxyEnv?.httpProxy,
      https_proxy: proxyEnv?.httpsProxy,
      ftp_proxy: proxyEnv?.ftpProxy,
      no_proxy: proxyEnv?.noProxy,
      all_proxy: proxyEnv?.allProxy,
    }),
    workingDir: posix.resolve("/", cwd),
    user,
    ...(hosts.length > 0 && { hosts }),
    ...(ulimits.length > 0 && { ulimits }),
    ...(hostname !== "" && { hostname }),
    ...(cgroupParent !== "" && { cgroupParent }),
    ...(validExitCodes.length > 0 && { exitCodes: validExitCodes }),
  };
}

/** @param input takes what is mounted among the op's inputs */
export function planMount(mount: Mount, target: string, input: () => number): ExecMount {
  const { mountType, selector, readonly: readOnly, tmpfsOpt, cacheOpt, secretOpt, sshOpt } = mount;
  switch (mountType) {
    case MountType.BIND:
      return { kind: "bind", input: input(), source: posix.resolve("/", selector), target, readOnly };
    case MountType.TMPFS: {
      const sizeBytes = Number(tmpfsOpt?.size ?? 0n);
      return { kind: "tmpfs", target, ...(sizeBytes > 0 && { sizeBytes }) };
    }
    case MountType.CACHE: {
      const { id = "", sharing } = cacheOpt ?? {};
      const shared = sharing === CacheSharing.PRIVATE ? "private" : "locked";
      return {
        kind: "cache",
        id: id || mount.dest,
        target,
        readOnly,
        ...(mount.input >= 0n && { files: { input: input(), source: posix.resolve("/", selector) } }),
        ...(sharing !== undefined && sharing !== CacheSharing.SHARED && { sharing: shared }),
      };
    }
    case MountType.SECRET: {
      if (secretOpt === undefined) throw invalid("a mount of a secret does not say which");
      const { id, uid, gid, mode, optional } = secretOpt;
      return { kind: "secret", id, target, isRequired: !optional, mode: mode & 0o777, uid, gid };
    }
    case MountType.SSH: {
      if (sshOpt === undefined) throw invalid("a mount of an ssh agent does not say which");
      const { id, uid, gid, mode, optional } = sshOpt;
      return {
        kind: "ssh",
        id: id || "default",
        target,
        isRequired: !optional,
        mode: mode & 0o777,
        uid,
        gid,
      };
    }
    default:
      throw invalid(`mount type ${mountType}`);
  }
}
