import type { Fault, FaultKind } from "@hawser/base";

/** What a command that failed exits with, as Docker's client does, by kind. */
const codeOfKind = {
  "invalid-argument": 1,
  "not-found": 1,
  "already-exists": 1,
  conflict: 1,
  "not-modified": 1,
  unauthenticated: 1,
  "permission-denied": 1,
  unavailable: 1,
  "resource-exhausted": 1,
  canceled: 130,
  "deadline-exceeded": 1,
  "not-implemented": 1,
  "data-loss": 1,
  internal: 1,
} as const satisfies Record<FaultKind, number>;

/** Faults whose code differs from their kind's. */
const codeOfFault: Readonly<Record<string, number>> = {
  FLAG_INVALID: 125,
  TEMPLATE_INVALID: 64,
  DETACHED: 1,
};

/** The exit code for a fault that ended a command. `run` and `create` have their own rules (`runExitCode`). */
export function exitCode(fault: Fault): number {
  return codeOfFault[fault.code] ?? codeOfKind[fault.kind];
}

/**
 * The exit code of `run` and `start -a` when the container could not be started: 127 when its program is not there, 126
 * when it may not be run, else 125. Told by the OCI runtime's words, as Docker's client does.
 */
export function runExitCode(message: string): number {
  if (
    /executable file not found|no such file or directory|system cannot find the file specified/.test(message)
  ) {
    return 127;
  }
  return /permission denied|is a directory/.test(message) ? 126 : 125;
}
