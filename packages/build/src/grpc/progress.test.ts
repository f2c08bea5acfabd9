import assert from "node:assert/strict";
import { test } from "node:test";
import { createVertex, type Vertex } from "../plan/vertex.ts";
import { type OpRunner, Solver, type VertexEvent } from "../solver/solver.ts";
import { BuildProgress } from "./progress.ts";

test("a step whose kept result could not be had is shown as executed when it is done after all", async () => {
  let isKept = true;
  const runner: OpRunner<number> = {
    cacheKey: async () => "key",
    find: async () => (isKept ? 1 : undefined),
    async execute(_vertex, _inputs, { output }) {
      output("stdout", Buffer.from("done\n"));
      return 1;
    },
    adopt: (state) => state,
  };
  const vertex: Vertex = createVertex({ kind: "make-folder", path: "/" });
  const progress = new BuildProgress({ now: () => 0 });
  progress.announce([{ digest: vertex.digest, name: "[1/1] RUN work", inputs: [] }]);
  const options = {
    runner,
    signal: new AbortController().signal,
    ignoreCache: () => false,
    onEvent: (event: VertexEvent) => progress.take(event),
  };
  const solver = new Solver<number>();
  await solver.solve(vertex, options);
  assert.deepEqual(progress.counts, { total: 1, cached: 1, completed: 1 });
  isKept = false;
  await solver.solve(vertex, options);
  // What another graph finds again was executed by this build all the same.
  isKept = true;
  await solver.solve(vertex, options);
  assert.deepEqual(progress.counts, { total: 1, cached: 0, completed: 1 });

  progress.close();
  const told: string[] = [];
  for await (const { vertexes, logs } of progress.follow(options.signal)) {
    for (const { started, completed, cached } of vertexes)
      told.push(cached ? "cached" : completed ? "completed" : started ? "started" : "announced");
    for (const { msg } of logs) told.push(Buffer.from(msg).toString());
  }
  assert.deepEqual(told, ["announced", "started", "cached", "cached", "started", "done\n", "completed"]);
});

test("how far something is, is told now and then, and at its end", async () => {
  let nowMs = 0;
  const progress = new BuildProgress({ now: () => nowMs });
  await progress.step("load", async (step) => {
    for (let current = 1; current <= 250; current++) {
      nowMs++;
      step.status("files", { current });
    }
    step.status("files", { current: 250, isDone: true });
  });
  progress.close();
  const told: (readonly [number, boolean])[] = [];
  for await (const { statuses } of progress.follow(new AbortController().signal)) {
    for (const { current, completed } of statuses) told.push([Number(current), completed !== undefined]);
  }
  assert.deepEqual(told, [
    [1, false],
    [101, false],
    [201, false],
    [250, true],
  ]);
});
