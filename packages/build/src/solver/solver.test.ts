import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createVertex, type Vertex } from "../plan/vertex.ts";
import { type OpRunner, Solver, type VertexEvent } from "./solver.ts";

/** Ops that add: `text` of a source is its number; an exec op adds its inputs. Counts what it executes. */
function addingRunner(options: { readonly ms?: number } = {}) {
  const executed: string[] = [];
  const kept = new Map<string, number>();
  const runner: OpRunner<number> = {
    cacheKey: async (vertex, inputs) => `${vertex.op.kind}:${JSON.stringify(vertex.op)}:${inputs.join()}`,
    find: async (key) => kept.get(key),
    async execute(vertex, inputs, run) {
      const { op } = vertex;
      executed.push(op.kind === "local" ? op.name : op.kind);
      if (options.ms !== undefined) await delay(options.ms, undefined, { signal: run.signal });
      if (op.kind === "local" && op.name === "bad") throw new Error("bad op");
      const own = op.kind === "local" ? Number(op.name) : 0;
      const result = inputs.reduce((sum, input) => sum + input, own);
      if (run.key !== undefined) kept.set(run.key, result);
      return result;
    },
    adopt: (state) => state,
  };
  return { runner, executed };
}

const number = (name: string) => createVertex({ kind: "local", name });
const sum = (...inputs: readonly Vertex[]) => createVertex({ kind: "make-folder", path: "/" }, inputs);
const options = (runner: OpRunner<number>, more: object = {}) => ({
  runner,
  signal: new AbortController().signal,
  ignoreCache: () => false,
  onEvent: () => {},
  ...more,
});

describe("Solver", () => {
  test("does each vertex of a graph once, and nothing when all is kept", async () => {
    const { runner, executed } = addingRunner();
    const solver = new Solver<number>();
    const shared = sum(number("1"), number("2"));
    const top = createVertex({ kind: "make-folder", path: "/top" }, [shared, shared, sum(shared)]);
    assert.equal(await solver.solve(top, options(runner)), 9);
    assert.equal(executed.length, 5);
    const events: string[] = [];
    assert.equal(
      await solver.solve(top, options(runner, { onEvent: ({ kind }: VertexEvent) => events.push(kind) })),
      9,
    );
    assert.equal(executed.length, 5);
    assert.equal(events.filter((kind) => kind === "cached").length, 5);
    await solver.solve(top, options(runner, { ignoreCache: (vertex: Vertex) => vertex === top }));
    assert.equal(executed.length, 6);
  });

  test("solves what is as deep as graphs may be", async () => {
    let deep = number("1");
    for (let at = 0; at < 2000; at++) deep = sum(deep);
    assert.equal(await new Solver<number>().solve(deep, options(addingRunner().runner)), 1);
  });

  test("does the same work of two graphs once, and goes on while one wants it", async () => {
    const { runner, executed } = addingRunner({ ms: 30 });
    const solver = new Solver<number>();
    const first = new AbortController();
    const work = [
      solver.solve(sum(number("1")), options(runner, { signal: first.signal })),
      solver.solve(sum(number("1")), options(runner)),
    ];
    await delay(10);
    first.abort(new Error("left"));
    const [one, two] = await Promise.allSettled(work);
    assert.equal(one?.status, "rejected");
    assert.deepEqual(two, { status: "fulfilled", value: 1 });
    assert.deepEqual(executed.toSorted(), ["1", "make-folder"]);
  });

  test("stops when nobody wants it, and tells what failed", async () => {
    const { runner, executed } = addingRunner({ ms: 10_000 });
    const stop = new AbortController();
    const work = new Solver<number>().solve(number("1"), options(runner, { signal: stop.signal }));
    await delay(5);
    stop.abort(new Error("gone"));
    await assert.rejects(work, { message: "gone" });
    assert.deepEqual(executed, ["1"]);

    const failures: string[] = [];
    const onEvent = (event: VertexEvent) => {
      if (event.kind === "failed") failures.push(event.vertex.op.kind);
    };
    await assert.rejects(
      new Solver<number>().solve(
        sum(number("bad"), number("1")),
        options(addingRunner().runner, { onEvent }),
      ),
      { message: "bad op" },
    );
    assert.deepEqual(failures, ["local"]);
  });
});
