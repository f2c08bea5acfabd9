import { Code, ConnectError } from "@connectrpc/connect";
import { Fault, type FaultKind } from "@hawser/base";
import { rangesOf } from "../dockerfile/faults.ts";
import { SourceSchema } from "./generated/errdefs_pb.ts";

/** The source that a failure may point into. */
export interface FaultySource {
  readonly filename: string;
  readonly text: string;
}

/**
 * Any thrown value as gRPC's error. With the source of a build, a fault is told as BuildKit tells what a source comes to: without a
 * code, which clients would show, and with the places that it has in the Dockerfile and the text (`errdefs.Source`), whose lines the
 * client shows.
 */
export function grpcError(thrown: unknown, source?: FaultySource): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  const fault = Fault.from(thrown);
  const code = codeOf(fault.kind);
  if (source === undefined) return new ConnectError(fault.message, code);
  const info = { filename: source.filename, data: Buffer.from(source.text), language: "Dockerfile" };
  const details = rangesOf(fault).map(({ firstLine, lastLine }) => ({
    desc: SourceSchema,
    value: { info, ranges: [{ start: { line: firstLine }, end: { line: lastLine } }] },
  }));
  return new ConnectError(fault.message, kept.has(code) ? code : Code.Unknown, undefined, details);
}

/** Codes that say what became of a build, not what is wrong with its source. */
const kept: ReadonlySet<Code> = new Set([Code.Canceled, Code.DeadlineExceeded, Code.Internal]);

function codeOf(kind: FaultKind): Code {
  switch (kind) {
    case "invalid-argument":
      return Code.Unknown; // what a build's own source or process makes of it, as BuildKit has it
    case "not-found":
      return Code.NotFound;
    case "already-exists":
    case "conflict":
      return Code.AlreadyExists;
    case "not-modified":
      return Code.FailedPrecondition;
    case "unauthenticated":
      return Code.Unauthenticated;
    case "permission-denied":
      return Code.PermissionDenied;
    case "unavailable":
      return Code.Unavailable;
    case "resource-exhausted":
      return Code.ResourceExhausted;
    case "canceled":
      return Code.Canceled;
    case "deadline-exceeded":
      return Code.DeadlineExceeded;
    case "not-implemented":
      return Code.Unimplemented;
    case "data-loss":
      return Code.DataLoss;
    case "internal":
      return Code.Internal;
  }
}
