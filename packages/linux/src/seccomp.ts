import { native } from "./native.ts";

/** A test of one argument of a system call; `operator` and the values as libseccomp's `scmp_arg_cmp` has them. */
export interface SeccompComparison {
  readonly argument: number;
  readonly operator: number;
  readonly value: bigint;
  readonly valueTwo: bigint;
}

export interface SeccompRule {
  /** `SECCOMP_RET_…`, data included. */
  readonly action: number;
  /** Name of a system call; one that libseccomp does not know makes the rule void. */
  readonly name: string;
  readonly comparisons: readonly SeccompComparison[];
}

export interface SeccompProgramRequest {
  readonly defaultAction: number;
  /** `AUDIT_ARCH_…` tokens of libseccomp, beside the machine's own. */
  readonly architectures: readonly number[];
  readonly rules: readonly SeccompRule[];
}

/**
 * A system call policy as the BPF program that the kernel runs, compiled by the machine's libseccomp on a thread of its own
 * (about 14 ms for Docker's default policy).
 *
 * @throws {Error} `ENOENT` when libseccomp is not installed, `EINVAL` and the like for what it refuses.
 */
export async function compileSeccomp(request: SeccompProgramRequest): Promise<Buffer> {
  const lines = [
    `default ${request.defaultAction}`,
    ...request.architectures.map((architecture) => `arch ${architecture}`),
    ...request.rules.map(formatRule),
  ];
  return await native().compileSeccomp(Buffer.from(lines.join("\n")));
}

/** Names come from profiles that users write: only what can be a name goes into the text. */
function formatRule({ action, name, comparisons }: SeccompRule): string {
  if (!/^\w+$/.test(name)) throw new RangeError(`not the name of a system call: ${JSON.stringify(name)}`);
  const tests = comparisons.map(
    ({ argument, operator, value, valueTwo }) => `${argument} ${operator} ${value} ${valueTwo}`,
  );
  return ["rule", action, name, ...tests].join(" ");
}
