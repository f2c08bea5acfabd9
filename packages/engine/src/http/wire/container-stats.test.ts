import assert from "node:assert/strict";
import { test } from "node:test";
import type { Container } from "../../containers/container.ts";
import type { UsageSample } from "../../containers/stats.ts";
import { formatStats } from "./container-stats.ts";

const container = { id: "abc", record: { name: "box" } } as unknown as Container;
const sample: UsageSample = {
  readAtMs: 1000,
  usage: {
    cpu: { totalNs: 5, kernelNs: 1, userNs: 2, periods: 0, throttledPeriods: 0, throttledNs: 0 },
    memory: {
      usageBytes: 7,
      failures: 0,
      limitBytes: 9223372036854771712n,
      details: { hierarchical_memory_limit: 9223372036854771712n },
    },
    pids: { current: 1 },
    block: { bytes: [{ major: 8, minor: 0, operation: "Read", value: 4096 }], operations: [] },
  },
  machine: { totalNs: 100, processorCount: 2 },
  machineMemoryBytes: 1 << 30,
};

test("a container that does not run has an empty report with its name", () => {
  const report = JSON.parse(formatStats(container, {}));
  assert.deepEqual([report.name, report.id, report.read], ["/box", "abc", "0001-01-01T00:00:00Z"]);
  assert.deepEqual([report.memory_stats, report.pids_stats, report.networks], [{}, {}, undefined]);
  assert.equal(report.blkio_stats.io_service_bytes_recursive, null);
  assert.equal(report.cpu_stats.system_cpu_usage, undefined);
});

test("the first sample has nothing before it, the second has the first", () => {
  assert.equal(JSON.parse(formatStats(container, { sample })).precpu_stats.cpu_usage.total_usage, 0);
  const second = JSON.parse(formatStats(container, { sample, previous: sample }));
  assert.equal(second.precpu_stats.cpu_usage.total_usage, 5);
  assert.equal(second.preread, "1970-01-01T00:00:01Z");
});

test("no limit is the machine's memory; the kernel's large numbers are exact", () => {
  const text = formatStats(container, { sample });
  assert.match(text, /"hierarchical_memory_limit":9223372036854771712[,}]/);
  assert.equal(JSON.parse(text).memory_stats.limit, 1 << 30);
});
