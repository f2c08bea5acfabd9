import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPathStat, goFileMode } from "./file-stat.ts";
import { formatTimeNs } from "./time-ns.ts";

test("modes are Go's", () => {
  const told = [0o040755, 0o041777, 0o120777, 0o100644, 0o104755, 0o102755, 0o020666, 0o060660, 0o010600].map(
    goFileMode,
  );
  assert.deepEqual(
    told,
    [2147484141, 2148532735, 134218239, 420, 8389101, 4194797, 69206454, 67109296, 33554816],
  );
});

test("times have as many digits as they need", () => {
  assert.equal(formatTimeNs(1795464333864436348n), "2026-11-23T20:05:33.864436348Z");
  assert.equal(formatTimeNs(1795464333870000000n), "2026-11-23T20:05:33.87Z");
  assert.equal(formatTimeNs(0n), "1970-01-01T00:00:00Z");
  assert.equal(formatTimeNs(-1n), "1969-12-31T23:59:59.999999999Z");
});

test("a stat is what dockerd answers", () => {
  const stat = { name: "lx", sizeBytes: 2, mode: 0o120777, mtimeNs: 1795464333864436348n, linkTarget: "/x" };
  assert.equal(
    Buffer.from(formatPathStat(stat), "base64").toString(),
    '{"name":"lx","size":2,"mode":134218239,"mtime":"2026-11-23T20:05:33.864436348Z","linkTarget":"/x"}',
  );
  // Clients in Go take the standard alphabet only.
  assert.match(formatPathStat({ ...stat, name: "\u00ff\u00fe?>" }), /^[A-Za-z0-9+/]*[+/][A-Za-z0-9+/]*=*$/);
});
