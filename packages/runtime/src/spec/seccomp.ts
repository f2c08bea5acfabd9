import type { RuntimeSeccomp, RuntimeSyscallRule } from "@hawser/oci";
import type { SeccompConditions, SeccompPolicy } from "./seccomp-policy.ts";

/** What the conditions of a policy are about. */
export interface SeccompSubject {
  /** As `process.arch`. */
  readonly architecture: string;
  /** As `os.release()`. */
  readonly kernelRelease: string;
  /** The container's capabilities. */
  readonly capabilities: readonly string[];
}

/** Node's name of an architecture → Go's, and libseccomp's with those that its kernels can also run. */
const architectures: Readonly<Record<string, { readonly go: string; readonly native: readonly string[] }>> = {
  x64: { go: "amd64", native: ["X86_64", "X86", "X32"] },
  arm64: { go: "arm64", native: ["AARCH64", "ARM"] },
  arm: { go: "arm", native: ["ARM"] },
  ia32: { go: "x86", native: ["X86"] },
  ppc64: { go: "ppc64le", native: ["PPC64LE"] },
  s390x: { go: "s390x", native: ["S390X", "S390"] },
  riscv64: { go: "riscv64", native: ["RISCV64"] },
  loong64: { go: "loong64", native: ["LOONGARCH64"] },
};

/**
 * `linux.seccomp` for one container: the rules of a policy whose conditions hold, those without arguments joined by
 * action, since OCI runtimes work through a list of rules one by one.
 */
export function resolveSeccomp(policy: SeccompPolicy, subject: SeccompSubject): RuntimeSeccomp {
  const architecture = architectures[subject.architecture];
  const holds = (conditions: SeccompConditions) => evaluate(conditions, architecture?.go, subject);
  const plain = new Map<string, { readonly rule: RuntimeSyscallRule; readonly names: Set<string> }>();
  const special: RuntimeSyscallRule[] = [];
  for (const { names, action, errnoRet, args, includes, excludes } of policy.syscalls) {
    if (includes !== undefined && !holds(includes).all) continue;
    if (excludes !== undefined && holds(excludes).any) continue;
    const rule = { names, action, ...(errnoRet !== undefined && { errnoRet }), ...(args && { args }) };
    if (args !== undefined) {
      special.push(rule);
      continue;
    }
    const key = `${action} ${errnoRet ?? ""}`;
    const joined = plain.get(key) ?? { rule, names: new Set<string>() };
    for (const name of names) joined.names.add(name);
    plain.set(key, joined);
  }
  const native = (architecture?.native ?? []).map((name) => `SCMP_ARCH_${name}`);
  const listed = policy.architectures === "native" ? native : policy.architectures;
  return {
    defaultAction: policy.defaultAction,
    ...(policy.defaultErrnoRet !== undefined && { defaultErrnoRet: policy.defaultErrnoRet }),
    ...(listed.length > 0 && { architectures: listed }),
    ...(policy.flags !== undefined && policy.flags.length > 0 && { flags: policy.flags }),
    syscalls: [...[...plain.values()].map(({ rule, names }) => ({ ...rule, names: [...names] })), ...special],
  };
}

/** `all`: every condition holds, of a list of capabilities each one; `any`: one of them does. */
function evaluate(
  { arches = [], caps = [], minKernel }: SeccompConditions,
  goArchitecture: string | undefined,
  subject: SeccompSubject,
): { readonly all: boolean; readonly any: boolean } {
  const held = (name: string) => subject.capabilities.includes(name);
  const kernel = minKernel === undefined ? undefined : isAtLeast(subject.kernelRelease, minKernel);
  const architecture = arches.length === 0 ? undefined : arches.includes(goArchitecture ?? "");
  return {
    all: architecture !== false && kernel !== false && caps.every(held),
    any: architecture === true || kernel === true || caps.some(held),
  };
}

function isAtLeast(release: string, wanted: string): boolean {
  const [major = 0, minor = 0] = versionOf(release);
  const [wantedMajor = 0, wantedMinor = 0] = versionOf(wanted);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function versionOf(text: string): number[] {
  return (/^(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
}
