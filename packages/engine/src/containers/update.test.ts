import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostConfig, LiveLimits } from "@hawser/runtime";
import { decodeCreateRequest } from "../http/wire/create-request.ts";
import { decodeUpdateRequest } from "../http/wire/update-request.ts";
import { findConflict } from "./update.ts";

const hostConfig = (changes: object): HostConfig =>
  decodeCreateRequest({ Image: "x", HostConfig: changes }, "").hostConfig;
const conflict = (current: object, update: object) =>
  findConflict(hostConfig(current), decodeUpdateRequest(update, ""));

test("processors are limited in one way only", () => {
  assert.match(conflict({ CpuPeriod: 1000 }, { NanoCpus: 1 }) ?? "", /CPU Period has already been set/);
  assert.match(conflict({ NanoCpus: 1 }, { CpuQuota: 1000 }) ?? "", /NanoCPUs has already been set/);
  assert.equal(conflict({ NanoCpus: 1 }, { NanoCpus: 2 }), undefined);
});

test("memory may not grow above memory and swap together", () => {
  const current = { Memory: 100, MemorySwap: 150 };
  assert.match(conflict(current, { Memory: 160 }) ?? "", /already set memoryswap limit/);
  assert.equal(conflict(current, { Memory: 160, MemorySwap: 200 }), undefined);
  assert.equal(conflict({ Memory: 100 }, { Memory: 200 }), undefined);
});

test("a container that removes itself gets no restart policy", () => {
  const current = { AutoRemove: true };
  assert.match(conflict(current, { RestartPolicy: { Name: "always" } }) ?? "", /AutoRemove is enabled/);
  assert.equal(conflict(current, { RestartPolicy: { Name: "no" } }), undefined);
  assert.equal(conflict(current, {}), undefined);
});

test("what an update does not name stays", () => {
  const { limits, restartPolicy } = decodeUpdateRequest({ RestartPolicy: { Name: "" }, PidsLimit: -1 }, "");
  assert.equal(restartPolicy, undefined);
  assert.equal(limits.pidsLimit satisfies LiveLimits["pidsLimit"], -1);
  assert.equal(limits.memoryBytes, 0);
});
