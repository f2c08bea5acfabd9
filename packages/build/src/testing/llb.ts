import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type Definition,
  DefinitionSchema,
  type ExecOpSchema,
  type FileActionSchema,
  type MountSchema,
  NetMode,
  OpSchema,
  SecurityMode,
} from "../grpc/generated/llb_pb.ts";
import { digestOf } from "../llb/read-definition.ts";

type OpInit = MessageInitShape<typeof OpSchema>;

/** A result of an op, as a client of BuildKit has it before it sends a graph. */
export interface LlbResult {
  readonly op: LlbOp;
  readonly index: number;
}

export interface LlbOp {
  readonly bytes: Uint8Array;
  readonly digest: string;
  readonly inputs: readonly LlbResult[];
  readonly name: string | undefined;
  readonly ignoreCache: boolean;
}

export interface LlbOptions {
  readonly name?: string;
  readonly ignoreCache?: boolean;
}

/** @returns its first result */
export function llbOp(
  op: OpInit["op"],
  inputs: readonly LlbResult[] = [],
  { name, ignoreCache = false }: LlbOptions = {},
): LlbResult {
  const edges = inputs.map(({ op: input, index }) => ({ digest: input.digest, index: BigInt(index) }));
  const bytes = toBinary(OpSchema, create(OpSchema, { inputs: edges, ...(op && { op }) }));
  return { op: { bytes, digest: digestOf(bytes), inputs, name, ignoreCache }, index: 0 };
}

export function llbOutput({ op }: LlbResult, index: number): LlbResult {
  return { op, index };
}

export function llbSource(identifier: string, attrs: Readonly<Record<string, string>> = {}): LlbResult {
  return llbOp({ case: "source", value: { identifier, attrs: { ...attrs } } });
}

type Action = NonNullable<MessageInitShape<typeof FileActionSchema>["action"]>;

/** One action on the first input. */
export function llbFile(
  inputs: readonly LlbResult[],
  action: Action,
  more: MessageInitShape<typeof FileActionSchema> = {},
): LlbResult {
  const input = inputs.length === 0 ? -1n : 0n;
  const secondaryInput = action.case === "copy" ? BigInt(inputs.length - 1) : -1n;
  return llbOp({ case: "file", value: { actions: [{ input, secondaryInput, action, ...more }] } }, inputs);
}

/** What `llb.Mkfile` and its like send where nothing is said. */
export const llbUnset = { timestamp: -1n } as const;

export function llbExec(
  inputs: readonly LlbResult[],
  args: readonly string[],
  options: {
    readonly mounts?: readonly MessageInitShape<typeof MountSchema>[];
    readonly meta?: object;
    readonly network?: NetMode;
    readonly security?: SecurityMode;
    readonly secretEnv?: readonly { readonly id: string; readonly name: string }[];
  } & LlbOptions = {},
): LlbResult {
  const {
    mounts = [{ dest: "/", output: 0n }],
    meta,
    network = NetMode.UNSET,
    security = SecurityMode.SANDBOX,
    secretEnv = [],
    ...rest
  } = options;
  const value: MessageInitShape<typeof ExecOpSchema> = {
    meta: { args: [...args], cwd: "/", ...meta },
    mounts: [...mounts],
    network,
    security,
    secretEnv: [...secretEnv],
  };
  return llbOp({ case: "exec", value }, inputs, rest);
}

export function llbMerge(...inputs: readonly LlbResult[]): LlbResult {
  const value = { inputs: inputs.map((_, at) => ({ input: BigInt(at) })) };
  return llbOp({ case: "merge", value }, inputs);
}

export function llbDiff(lower: LlbResult | undefined, upper: LlbResult): LlbResult {
  const value = {
    lower: { input: lower === undefined ? -1n : 0n },
    upper: { input: lower === undefined ? 0n : 1n },
  };
  return llbOp({ case: "diff", value }, lower === undefined ? [upper] : [lower, upper]);
}

/** The graph whose result this is. */
export function llbDefinition(result: LlbResult): Definition {
  const ops = new Map<string, LlbOp>();
  const add = ({ op }: LlbResult): void => {
    if (ops.has(op.digest)) return;
    for (const input of op.inputs) add(input);
    ops.set(op.digest, op);
  };
  const end = llbOp(undefined, [result]);
  add(end);
  const metadata = Object.fromEntries(
    [...ops].map(([digest, { name, ignoreCache }]) => [
      digest,
      { ignoreCache, description: name === undefined ? {} : { "llb.customname": name } },
    ]),
  );
  return create(DefinitionSchema, { def: [...ops.values()].map(({ bytes }) => bytes), metadata });
}

/** As a file has it. */
export function llbDefinitionBytes(result: LlbResult): Uint8Array {
  return toBinary(DefinitionSchema, llbDefinition(result));
}

/** What the sources of a graph are called. */
export function llbSourcesOf({ def }: Definition): readonly string[] {
  return def
    .map((bytes) => fromBinary(OpSchema, bytes).op)
    .flatMap((op) => (op.case === "source" ? [op.value.identifier] : []));
}
