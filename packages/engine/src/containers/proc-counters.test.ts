import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNetDev, parseProcStat } from "./proc-counters.ts";

test("the machine's time is all of its processors', without what was stolen", () => {
  const text = "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1 1 1 1 1 1\ncpu1 0 1 2 3 4 5 6 7\nintr 5\n";
  assert.deepEqual(parseProcStat(text), { totalNs: 280_000_000, processorCount: 2 });
});

test("each interface but the loopback is counted", () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:12345678      10    1    2    0     0          0         0      999       9    3    4    0     0       0          0
`;
  assert.deepEqual(parseNetDev(text), {
    eth0: {
      receivedBytes: 12345678,
      receivedPackets: 10,
      receiveErrors: 1,
      receiveDropped: 2,
      sentBytes: 999,
      sentPackets: 9,
      sendErrors: 3,
      sendDropped: 4,
    },
  });
});
