import { Code, ConnectError } from "@connectrpc/connect";
import { Fault, type FaultKind } from "@hawser/base";
import { rangeOf } from "../dockerfile/faults.ts";
import { SourceSchema } from "./generated/errdefs_pb.ts";

/** The source that a failure may point into. */
export interface FaultySource {
  readonly filename: string;
  readonly text: string;
}

/**
 * Any thrown value as gRPC's error. A fault with a place in a Dockerfile takes the place and the text along, as BuildKit's
 * `errdefs.Source`, and the client shows the lines.
 */
export function grpcError(thrown: unknown, source?: FaultySource): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  const fault = Fault.from(thrown);
  const code = codeOf(fault.kind);
  const range = rangeOf(fault);
  if (source === undefined || range === undefined) return new ConnectError(fault.message, code);
  const value = {
    info: { filename: source.filename, data: Buffer.from(source.text), language: "Dockerfile" },
    ranges: [{ start: { line: range.firstLine }, end: { line: range.lastLine } }],
  };
  return new ConnectError(fault.message, code, undefined, [{ desc: SourceSchema, value }]);
}

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
