import { equal, throws } from "node:assert/strict";
import { test } from "node:test";
import { parseTimestamp } from "./timestamp.ts";

for (const [text, ns] of [
  [undefined, undefined],
  ["", undefined],
  ["0", 0n],
  ["-5", -5_000_000_000n],
  ["1795969377", 1_795_969_377_000_000_000n],
  ["1795969377.5", 1_795_969_377_500_000_000n],
  ["1795969377.000000001", 1_795_969_377_000_000_001n],
  ["1795969377.1234567891", 1_795_969_377_123_456_789n],
  ["2026-11-29T16:22:57Z", 1_795_969_377_000_000_000n],
  ["2026-11-29T17:22:57.25+01:00", 1_795_969_377_250_000_000n],
] as const) {
  test(`${text} is a point in time`, () => equal(parseTimestamp(text), ns));
}

for (const text of ["10m", "2026-11-29", "2026-11-29T16:22:57", "1.2.3", "1e3", " 1", "NaN"]) {
  test(`${text} is none`, () => throws(() => parseTimestamp(text), { kind: "invalid-argument" }));
}
