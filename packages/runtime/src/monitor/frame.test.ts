import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFrame, type Frame, FrameDecoder, maxFrameBytes, numberField, textField } from "./frame.ts";

/** The same numbers on each run (mulberry32). */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

function decodeAll(decoder: FrameDecoder): Frame[] {
  const frames: Frame[] = [];
  for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) frames.push(frame);
  return frames;
}

test("any frames, cut anywhere, come out as they went in, with the rest behind them", () => {
  const random = makeRandom(1);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const values = ["", "x", "a=b", "ü €\n\t", "-", "x".repeat(300), "=", "🚢"];
  for (let round = 0; round < 300; round += 1) {
    const sent = Array.from({ length: Math.floor(random() * 4) }, () => ({
      kind: pick(["start", "done", ""]),
      fields: Object.fromEntries(
        Array.from({ length: Math.floor(random() * 5) }, () => [
          pick(["lower", "id", "a-b"]),
          Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(values)),
        ]),
      ),
    }));
    const rest = Buffer.from(pick(["", "\0", "\0\0"]));
    const bytes = Buffer.concat([...sent.map(({ kind, fields }) => encodeFrame(kind, fields)), rest]);
    const decoder = new FrameDecoder();
    const got: Frame[] = [];
    for (let position = 0; position < bytes.length; ) {
      const end = position + 1 + Math.floor(random() * 40);
      decoder.push(bytes.subarray(position, end));
      got.push(...decodeAll(decoder));
      position = end;
    }
    assert.deepEqual(
      got.map(({ kind, fields }) => ({ kind, fields: Object.fromEntries(fields) })),
      sent,
    );
    assert.deepEqual(decoder.rest, rest);
  }
});

test("the bytes are those of the contract", () => {
  const frame = encodeFrame("kill", {
    ref: "1",
    signal: 9,
    exec: undefined,
    detach: true,
    tty: false,
    lower: ["a", "b"],
  });
  const fields = "kind=kill\0ref=1\0signal=9\0detach=1\0lower=a\0lower=b\0";
  assert.deepEqual(frame, Buffer.concat([Buffer.from([0, 0, 0, fields.length]), Buffer.from(fields)]));
});

test("fields are read as text and as number", () => {
  const decoder = new FrameDecoder();
  decoder.push(encodeFrame("exited", { code: 137, message: "x", nothing: "" }));
  const frame = decoder.next();
  assert.ok(frame);
  assert.equal(numberField(frame, "code"), 137);
  assert.equal(numberField(frame, "message"), 0);
  assert.equal(textField(frame, "nothing"), "");
  assert.equal(textField(frame, "absent"), undefined);
});

test("what cannot be sent is refused", () => {
  assert.throws(() => encodeFrame("start", { dir: "/a\0b" }), { kind: "invalid-argument" });
  assert.throws(() => encodeFrame("start", { "Not A Key": "x" }), { kind: "invalid-argument" });
  assert.throws(() => encodeFrame("start", { dir: "x".repeat(maxFrameBytes) }), { kind: "invalid-argument" });
});

test("what is no frame is refused", () => {
  const framed = (body: string) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(body.length);
    return Buffer.concat([head, Buffer.from(body)]);
  };
  const bad = [
    framed("kind=x"),
    framed(""),
    framed("ref=1\0"),
    framed("kind=x\0novalue\0"),
    framed("kind=x\0=v\0"),
  ];
  for (const bytes of [...bad, Buffer.from([0, 16, 0, 1]), Buffer.from("HTTP/1.1")]) {
    const decoder = new FrameDecoder();
    decoder.push(bytes);
    assert.throws(() => decoder.next(), { kind: "data-loss" }, bytes.toString());
  }
});
