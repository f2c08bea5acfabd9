import assert from "node:assert/strict";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Fault } from "@hawser/base";
import { fuzz } from "@hawser/base/testing/fuzz";
import fc from "fast-check";
import { DefinitionSchema, OpSchema } from "../grpc/generated/llb_pb.ts";
import { planDefinition, readDefinitionBytes } from "./plan-definition.ts";
import { digestOf } from "./read-definition.ts";

const execution = {
  user: "",
  exposedPorts: [],
  env: [],
  volumes: [],
  workingDir: "",
  labels: {},
  stopSignal: "",
};
const ports = {
  resolveImage: async (reference: string) => ({
    reference,
    chainId: "sha256:x",
    config: { os: "linux", architecture: "amd64", execution, diffIds: [], history: [] },
  }),
  resolveResult: async () => ({ chainId: "sha256:y", epochMs: 0 }),
  entitlements: [],
  signal: new AbortController().signal,
};

async function planned(definition: Parameters<typeof planDefinition>[0]): Promise<void> {
  try {
    const plan = await planDefinition(definition, ports);
    for (const { vertices } of plan.steps) for (const vertex of vertices) assert.match(vertex, /^sha256:/);
  } catch (error) {
    assert.ok(error instanceof Fault, String(error));
    assert.notEqual(error.kind, "internal");
  }
}

const index = fc.bigInt({ min: -3n, max: 5n });
const path = fc.oneof(fc.constantFrom("/", "/a", "a/../..", "", "/a/*", "\0"), fc.string({ maxLength: 9 }));
const owner = fc.option(
  fc.record({
    user: fc.oneof(
      fc.record({ user: fc.record({ case: fc.constant("byId" as const), value: fc.nat() }) }),
      fc.record({
        user: fc.record({
          case: fc.constant("byName" as const),
          value: fc.record({ name: fc.string({ maxLength: 5 }), input: index }),
        }),
      }),
    ),
  }),
  { nil: undefined },
);
const dressed = { owner, timestamp: fc.bigInt({ min: -2n, max: 1n << 62n }) };
const action = fc.oneof(
  fc.record({ case: fc.constant("mkdir" as const), value: fc.record({ path, ...dressed }) }),
  fc.record({ case: fc.constant("mkfile" as const), value: fc.record({ path, ...dressed }) }),
  fc.record({ case: fc.constant("rm" as const), value: fc.record({ path }) }),
  fc.record({ case: fc.constant("symlink" as const), value: fc.record({ newPath: path, oldPath: path }) }),
  fc.record({
    case: fc.constant("copy" as const),
    value: fc.record({ src: path, dest: path, modeStr: fc.constantFrom("", "u+x", "789", "x"), ...dressed }),
  }),
);
const mount = fc.record({
  dest: path,
  selector: fc.constantFrom("", "/", "/x"),
  input: index,
  output: index,
  readonly: fc.boolean(),
  mountType: fc.integer({ min: 0, max: 6 }),
});
const identifier = fc.oneof(
  fc.constantFrom(
    "docker-image://busybox",
    "local://x",
    "git://h/r.git#a",
    "https://h/x",
    "oci-layout://x",
    "://",
  ),
  fc.string({ maxLength: 20 }),
);
const op = fc.oneof(
  fc.record({ case: fc.constant("source" as const), value: fc.record({ identifier }) }),
  fc.record({
    case: fc.constant("exec" as const),
    value: fc.record({
      meta: fc.option(fc.record({ args: fc.array(fc.string(), { maxLength: 2 }), cwd: path }), {
        nil: undefined,
      }),
      mounts: fc.array(mount, { maxLength: 4 }),
      network: fc.integer({ min: 0, max: 3 }),
    }),
  }),
  fc.record({
    case: fc.constant("file" as const),
    value: fc.record({
      actions: fc.array(fc.record({ input: index, secondaryInput: index, output: index, action }), {
        maxLength: 4,
      }),
    }),
  }),
  fc.record({
    case: fc.constant("merge" as const),
    value: fc.record({ inputs: fc.array(fc.record({ input: index }), { maxLength: 3 }) }),
  }),
  fc.record({
    case: fc.constant("diff" as const),
    value: fc.record({
      lower: fc.option(fc.record({ input: index }), { nil: undefined }),
      upper: fc.option(fc.record({ input: index }), { nil: undefined }),
    }),
  }),
  fc.record({ case: fc.constant("build" as const), value: fc.record({ builder: index }) }),
);
/** Ops with the numbers of those before them that they work on; some of those do not exist. */
const graph = fc.array(
  fc.record({
    op: fc.option(op, { nil: undefined }),
    inputs: fc.array(fc.record({ of: fc.nat({ max: 8 }), index }), { maxLength: 3 }),
  }),
  { maxLength: 8 },
);

fuzz("a graph of any ops becomes vertices or is refused", graph, async (ops) => {
  const def: Uint8Array[] = [];
  const nameOf = (at: number) => {
    const bytes = def[at];
    return bytes === undefined ? "sha256:none" : digestOf(bytes);
  };
  for (const { op: one, inputs } of ops) {
    const edges = inputs.map((input) => ({ digest: nameOf(input.of), index: input.index }));
    def.push(
      toBinary(
        OpSchema,
        create(OpSchema, { inputs: edges, ...(one && { op: one }) } as MessageInitShape<typeof OpSchema>),
      ),
    );
  }
  def.push(toBinary(OpSchema, create(OpSchema, { inputs: [{ digest: nameOf(def.length - 1) }] })));
  await planned(create(DefinitionSchema, { def }));
});

fuzz("bytes of any kind become vertices or are refused", fc.uint8Array({ maxLength: 300 }), async (bytes) => {
  await planned(create(DefinitionSchema, { def: [bytes, bytes] }));
  try {
    await planned(readDefinitionBytes(bytes));
  } catch (error) {
    assert.ok(error instanceof Fault, String(error));
  }
});
