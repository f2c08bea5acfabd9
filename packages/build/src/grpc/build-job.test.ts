import assert from "node:assert/strict";
import { test } from "node:test";
import { createVertex } from "../plan/vertex.ts";
import { BuildJobs } from "./build-job.ts";
import { BuildProgress } from "./progress.ts";

const signal = AbortSignal.timeout(30_000);
const openProgress = () => new BuildProgress({ now: () => 1000 });

test("what an ended build has told can still be asked for; the oldest is forgotten", async () => {
  const jobs = new BuildJobs();
  const asked = jobs.progress("later", signal);
  const progress = openProgress();
  const reserved = jobs.reserve("later", progress);
  assert.equal(await asked, progress);
  assert.throws(() => jobs.reserve("later", openProgress()), { kind: "conflict" });
  const vertex = createVertex({ kind: "local", name: "x" });
  progress.announce([{ digest: vertex.digest, name: "a step", inputs: [] }]);
  progress.take({ kind: "started", vertex });
  progress.take({ kind: "output", vertex, stream: "stdout", bytes: Buffer.from("said") });
  progress.take({ kind: "completed", vertex });
  reserved[Symbol.dispose]();

  const told = await Array.fromAsync((await jobs.progress("later", signal)).follow(signal));
  assert.deepEqual(
    told.flatMap(({ logs }) => logs.map(({ msg }) => Buffer.from(msg).toString())),
    ["said"],
  );
  const [last] = told.at(-1)?.vertexes ?? [];
  assert.deepEqual([last?.name, last?.cached, last?.completed !== undefined], ["a step", false, true]);

  using _again = jobs.reserve("later", openProgress());
  for (let at = 0; at < 40; at++) jobs.reserve(`build ${at}`, openProgress())[Symbol.dispose]();
  await assert.rejects(jobs.progress("build 0", AbortSignal.timeout(20)), { name: "TimeoutError" });
  await jobs.progress("build 39", signal);
});

test("one who follows a build sees it to its end, or leaves", async () => {
  const progress = openProgress();
  const seen: number[] = [];
  const following = (async () => {
    for await (const { warnings } of progress.follow(signal)) seen.push(warnings.length);
  })();
  progress.warn({ short: Buffer.from("careful") });
  await new Promise(setImmediate);
  progress.close();
  await following;
  assert.deepEqual(seen, [1]);
  const leaving = new AbortController();
  const left = Array.fromAsync(openProgress().follow(leaving.signal));
  leaving.abort(new Error("gone"));
  await assert.rejects(left, { message: "gone" });
});

test("whoever asks for a build that was refused is told so when it is over", async () => {
  const jobs = new BuildJobs();
  const reserved = jobs.reserve("refused", openProgress());
  const asked = jobs.job("refused", AbortSignal.timeout(5000));
  reserved[Symbol.dispose]();
  await assert.rejects(asked, { kind: "not-found" });
  await assert.rejects(jobs.job("refused", AbortSignal.timeout(5000)), { kind: "not-found" });
});
