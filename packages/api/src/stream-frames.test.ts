import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeFrame, encodeFrameHeader, FrameDecoder, frameHeaderBytes } from "./stream-frames.ts";

/** What each stream said, chunk boundaries forgotten. */
function decodeAll(chunks: readonly Buffer[]): {
  readonly decoder: FrameDecoder;
  readonly text: Record<string, string>;
} {
  const decoder = new FrameDecoder();
  const text: Record<string, string> = {};
  for (const chunk of chunks) {
    for (const { stream, payload } of decoder.decode(chunk))
      text[stream] = (text[stream] ?? "") + payload.toString();
  }
  return { decoder, text };
}

describe("the multiplexed stream", () => {
  test("has eight bytes before each payload", () => {
    assert.equal(encodeFrame("stderr", Buffer.from("ab")).toString("hex"), "02000000000000026162");
    assert.equal(encodeFrameHeader("stdout", 0x01020304).toString("hex"), "0100000001020304");
  });

  test("comes out the same however it is cut", () => {
    const whole = Buffer.concat([
      encodeFrame("stdout", Buffer.from("hello ")),
      encodeFrame("stderr", Buffer.alloc(0)),
      encodeFrame("stderr", Buffer.from("oh")),
      encodeFrame("stdout", Buffer.from("world")),
      encodeFrame("error", Buffer.from("end")),
    ]);
    const expected = { stdout: "hello world", stderr: "oh", error: "end" };
    for (let size = 1; size <= whole.length; size += 1) {
      const chunks: Buffer[] = [];
      for (let at = 0; at < whole.length; at += size) chunks.push(whole.subarray(at, at + size));
      const { decoder, text } = decodeAll(chunks);
      assert.deepEqual(text, expected, `in pieces of ${size}`);
      assert.ok(decoder.complete);
    }
  });

  test("tells when it broke off", () => {
    const frame = encodeFrame("stdout", Buffer.from("abc"));
    for (const end of [1, frameHeaderBytes, frame.length - 1]) {
      assert.equal(decodeAll([frame.subarray(0, end)]).decoder.complete, false, String(end));
    }
  });

  test("is refused for unknown types and absurd lengths", () => {
    for (const hex of ["0400000000000001", "ff00000000000001", "01000000ffffffff"]) {
      assert.throws(() => decodeAll([Buffer.from(hex, "hex")]), { kind: "data-loss" }, hex);
    }
  });
});
