import type { Logger } from "@hawser/base";
import { compileSeccomp, type SeccompProgramRequest } from "@hawser/linux";
import type { RuntimeSeccomp, RuntimeSpec } from "@hawser/oci";

/** crun takes the compiled policy from here and does not compile it for each start, which is most of what a start costs. */
const programAnnotation = "run.oci.seccomp_bpf_data";

/** Policies differ by capabilities and custom profiles; a host has few. */
const maxPrograms = 64;

/**
 * Compiles system call policies, each once. A policy that cannot be compiled here (no libseccomp, flags, listeners) is left
 * to the OCI runtime, which then compiles it for each start, with the same result.
 */
export class SeccompCompiler {
  readonly #log: Logger;
  /** By the policy's JSON; the one used longest ago is first. */
  readonly #programs = new Map<string, Promise<string | undefined>>();

  constructor(options: { readonly log: Logger }) {
    this.#log = options.log;
  }

  /** `spec` with its policy's program, for a runtime that is crun; the policy itself stays, as what the program means. */
  async annotate(spec: RuntimeSpec): Promise<RuntimeSpec> {
    const seccomp = spec.linux?.seccomp;
    const program = seccomp && (await this.#programOf(seccomp));
    if (program === undefined) return spec;
    return { ...spec, annotations: { ...spec.annotations, [programAnnotation]: program } };
  }

  #programOf(seccomp: RuntimeSeccomp): Promise<string | undefined> {
    const key = JSON.stringify(seccomp);
    const program = this.#programs.get(key) ?? this.#compile(seccomp);
    this.#programs.delete(key);
    this.#programs.set(key, program);
    if (this.#programs.size > maxPrograms) {
      const [oldest = key] = this.#programs.keys();
      this.#programs.delete(oldest);
    }
    return program;
  }

  async #compile(seccomp: RuntimeSeccomp): Promise<string | undefined> {
    const request = programRequest(seccomp);
    if (request === undefined) return undefined;
    try {
      return (await compileSeccomp(request)).toString("base64");
    } catch (error) {
      this.#log.warn("cannot compile a system call policy ahead, the OCI runtime does it for each start", {
        error,
      });
      return undefined;
    }
  }
}

/** The policy in libseccomp's numbers; `undefined` when it says something that only the runtime can do. */
export function programRequest(seccomp: RuntimeSeccomp): SeccompProgramRequest | undefined {
  if ((seccomp.flags ?? []).length > 0) return undefined;
  const defaultAction = actionCode(seccomp.defaultAction, seccomp.defaultErrnoRet);
  const architectures = (seccomp.architectures ?? []).map((name) => architectureTokens.get(name));
  const rules = (seccomp.syscalls ?? []).map(({ names, action, errnoRet, args = [] }) => ({
    names,
    action: actionCode(action, errnoRet),
    comparisons: args.map(({ index, op, value, valueTwo = 0 }) => ({
      argument: index,
      operator: operators.indexOf(op),
      value: BigInt(value),
      valueTwo: BigInt(valueTwo),
    })),
  }));
  if (defaultAction === undefined || !architectures.every((token) => token !== undefined)) return undefined;
  const flat = [];
  for (const { names, action, comparisons } of rules) {
    if (action === undefined || comparisons.some(({ operator }) => operator < 1)) return undefined;
    if (action === defaultAction) continue; // libseccomp refuses rules that say what the default says
    for (const name of names) flat.push({ action, name, comparisons });
  }
  return { defaultAction, architectures, rules: flat };
}

/** `SECCOMP_RET_…` of seccomp(2); a listener (`SCMP_ACT_NOTIFY`) needs the runtime. */
function actionCode(name: string, errnoRet = 1): number | undefined {
  switch (name) {
    case "SCMP_ACT_ALLOW":
      return 0x7fff0000;
    case "SCMP_ACT_LOG":
      return 0x7ffc0000;
    case "SCMP_ACT_ERRNO":
      return 0x00050000 + errnoRet;
    case "SCMP_ACT_TRACE":
      return 0x7ff00000 + errnoRet;
    case "SCMP_ACT_TRAP":
      return 0x00030000;
    case "SCMP_ACT_KILL":
    case "SCMP_ACT_KILL_THREAD":
      return 0;
    case "SCMP_ACT_KILL_PROCESS":
      return 0x80000000;
    default:
      return undefined;
  }
}

/** In the order of libseccomp's `enum scmp_compare`. */
const operators = [
  "",
  "SCMP_CMP_NE",
  "SCMP_CMP_LT",
  "SCMP_CMP_LE",
  "SCMP_CMP_EQ",
  "SCMP_CMP_GE",
  "SCMP_CMP_GT",
  "SCMP_CMP_MASKED_EQ",
];

/** `AUDIT_ARCH_…` of linux/audit.h, x32 with libseccomp's own bit. */
const architectureTokens: ReadonlyMap<string, number> = new Map([
  ["SCMP_ARCH_X86", 0x40000003],
  ["SCMP_ARCH_X86_64", 0xc000003e],
  ["SCMP_ARCH_X32", 0x4000003e],
  ["SCMP_ARCH_ARM", 0x40000028],
  ["SCMP_ARCH_AARCH64", 0xc00000b7],
  ["SCMP_ARCH_PPC64LE", 0xc0000015],
  ["SCMP_ARCH_S390", 0x00000016],
  ["SCMP_ARCH_S390X", 0x80000016],
  ["SCMP_ARCH_RISCV64", 0xc00000f3],
]);
