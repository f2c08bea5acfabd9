import { createHash } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { type Definition, type Op, OpSchema } from "../grpc/generated/llb_pb.ts";
import { invalid } from "./faults.ts";

/** One result of an op. */
export interface OpResult {
  readonly digest: string;
  /** Of several results. */
  readonly index: number;
}

export interface DefinedOp {
  /** Of its bytes: by it others name it, and clients know it. */
  readonly digest: string;
  readonly inputs: readonly OpResult[];
  readonly op: Op["op"];
  readonly platform: Op["platform"];
  readonly ignoresCache: boolean;
  /** What the client wants it called; absent: what it does says it. */
  readonly name?: string;
}

/** A graph as it came, checked for what does not depend on the kinds of its ops. */
export interface DefinedGraph {
  /** What the result needs, each op after those that it works on. */
  readonly ops: readonly DefinedOp[];
  readonly result: OpResult;
}

/** Nobody's build has more; each is a few hundred bytes of ours. */
const maxOps = 20_000;
/** Of a chain of ops: as much as fits on a stack, and ten times what overlay can show. */
const maxDepth = 2000;
const maxIndex = 10_000;

/**
 * Read `pb.Definition`: ops as bytes, named by their digests, so that there is no cycle; the last one only names the result.
 *
 * @returns `undefined` for an empty one, which stands for an empty file system
 * @throws {Fault} `invalid-argument`
 */
export function readDefinition({ def, metadata }: Definition): DefinedGraph | undefined {
  if (def.length === 0) return undefined;
  if (def.length > maxOps) throw invalid(`it has more than ${maxOps} ops`);
  const read = new Map<string, Op>();
  let last: Op | undefined;
  for (const bytes of def) {
    last = readOp(bytes);
    read.set(digestOf(bytes), last);
  }
  const [end, ...more] = last?.inputs ?? [];
  if (end === undefined || more.length > 0 || last?.op.case !== undefined) {
    throw invalid("the last op does not name one result");
  }
  const result = resultOf(end);
  const ops = sortedOps(read, result.digest).map((digest): DefinedOp => {
    const { inputs, op, platform } = opOf(read, digest);
    const told = metadata[digest];
    const name = told?.description["llb.customname"];
    return {
      digest,
      inputs: inputs.map(resultOf),
      op,
      platform,
      ignoresCache: told?.ignoreCache === true,
      ...(name && { name: name.slice(0, maxNameChars) }),
    };
  });
  return { ops, result };
}

const maxNameChars = 4096;

function readOp(bytes: Uint8Array): Op {
  try {
    return fromBinary(OpSchema, bytes);
  } catch (error) {
    throw invalid("an op is no protobuf message of that kind").because(error);
  }
}

function resultOf({ digest, index }: { readonly digest: string; readonly index: bigint }): OpResult {
  if (index < 0n || index > maxIndex) throw invalid(`there is no result ${index} of ${digest}`);
  return { digest, index: Number(index) };
}

function opOf(read: ReadonlyMap<string, Op>, digest: string): Op {
  const op = read.get(digest);
  if (op === undefined) throw invalid(`missing input digest ${JSON.stringify(digest.slice(0, 80))}`);
  return op;
}

/** Digests of what `from` needs, inputs first. Without recursion: how deep it goes is the sender's choice. */
function sortedOps(read: ReadonlyMap<string, Op>, from: string): readonly string[] {
  const depths = new Map<string, number>();
  const open = [from];
  for (let digest = open.at(-1); digest !== undefined; digest = open.at(-1)) {
    const below = opOf(read, digest).inputs.map((input) => input.digest);
    const missing = below.filter((input) => !depths.has(input));
    if (missing.length > 0) {
      open.push(...new Set(missing));
      if (open.length > maxOps * 2) throw invalid("its ops name too many others");
      continue;
    }
    open.pop();
    const depth = 1 + below.reduce((deepest, input) => Math.max(deepest, depths.get(input) ?? 0), 0);
    if (depth > maxDepth) throw invalid(`it is deeper than ${maxDepth} ops`);
    if (!depths.has(digest)) depths.set(digest, depth);
  }
  return [...depths.keys()];
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
