import { ConnectError } from "@connectrpc/connect";
import { Fault, type FaultKind } from "@hawser/base";
import { formatSourceLines } from "../dockerfile/source-range.ts";
import { SourceSchema } from "./generated/errdefs_pb.ts";

/** Why a build failed, for people. */
export interface BuildFailure {
  readonly kind: FaultKind;
  readonly message: string;
  /** The lines of the source that it is about; empty: it has no place there. */
  readonly lines: string;
}

/** Any thrown value as what is told of it. */
export function describeFailure(thrown: unknown): BuildFailure {
  const { kind, message } = Fault.from(thrown);
  if (!(thrown instanceof ConnectError)) return { kind, message, lines: "" };
  const [source] = thrown.findDetails(SourceSchema);
  const [range] = source?.ranges ?? [];
  const { filename = "", data = new Uint8Array() } = source?.info ?? {};
  const text = Buffer.from(data).toString();
  const firstLine = range?.start?.line ?? 0;
  const lastLine = range?.end?.line ?? firstLine;
  const lines =
    firstLine === 0 ? "" : formatSourceLines(text, { name: filename, range: { firstLine, lastLine } });
  return { kind: "invalid-argument", message: thrown.rawMessage, lines };
}
