import { ConnectError } from "@connectrpc/connect";
import { Fault, type FaultKind } from "@hawser/base";
import { formatSourceLines } from "../dockerfile/source-range.ts";
import { type Source, SourceSchema } from "./generated/errdefs_pb.ts";

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
  const lines = thrown
    .findDetails(SourceSchema)
    .map(linesOf)
    .filter((text) => text !== "");
  return { kind: "invalid-argument", message: thrown.rawMessage, lines: lines.join("\n") };
}

function linesOf({ info, ranges: [range] }: Source): string {
  const firstLine = range?.start?.line ?? 0;
  if (info === undefined || firstLine === 0) return "";
  const text = Buffer.from(info.data).toString();
  return formatSourceLines(text, {
    name: info.filename,
    range: { firstLine, lastLine: range?.end?.line ?? firstLine },
  });
}
