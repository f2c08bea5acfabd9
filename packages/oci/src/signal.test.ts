import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { parseSignal } from "./signal.ts";

test("signals are what the kernel calls them", () => {
  for (const [name, number] of Object.entries(constants.signals)) {
    if (name === "SIGIOT" || name === "SIGPOLL" || name === "SIGUNUSED") continue; // second names
    assert.equal(parseSignal(name), number, name);
    assert.equal(parseSignal(name.slice(3).toLowerCase()), number, name);
  }
});

test("signals may be numbers and real-time offsets", () => {
  const expected = {
    "": 15,
    "9": 9,
    "64": 64,
    RTMIN: 34,
    "SIGRTMIN+3": 37,
    "rtmax-1": 63,
    SIGRTMAX: 64,
    POLL: 29,
  };
  for (const [text, number] of Object.entries(expected)) assert.equal(parseSignal(text), number, text);
});

test("what is no signal is refused in Docker's words", () => {
  for (const text of [
    "FOO",
    "0",
    "65",
    "-9",
    "9.5",
    "SIGRTMIN-1",
    "SIGRTMAX+1",
    "SIGRTMIN+31",
    "SIG",
    "1e1",
    " 9",
  ]) {
    assert.throws(() => parseSignal(text), { kind: "invalid-argument", message: `invalid signal: ${text}` });
  }
});
