import assert from "node:assert/strict";
import { test } from "node:test";
import { attribute, attributeText, encodeMessages, nlm, parseAttributes, parseReply } from "./message.ts";

test("messages are aligned, numbered, and each asks for an answer", () => {
  const encoded = encodeMessages([
    { type: 16, flags: nlm.create | nlm.exclusive, body: Buffer.of(1, 2, 3) },
    { type: 18, flags: nlm.dump, body: Buffer.alloc(4) },
  ]);
  assert.equal(
    encoded.toString("hex"),
    "1300000010000506" +
      "00000000" +
      "00000000" +
      "01020300" +
      "1400000012000103" +
      "01000000" +
      "00000000" +
      "00000000",
  );
});

test("attributes nest and come back", () => {
  const nested = attribute(18, [attribute(1, "veth"), attribute(2, 0x01020304)]);
  assert.equal(nested.toString("hex"), "18001200" + "0900010076657468" + "00000000" + "0800020004030201");
  const inner = parseAttributes(parseAttributes(nested).get(18) ?? Buffer.alloc(0));
  assert.equal(attributeText(inner.get(1)), "veth");
  assert.equal(inner.get(2)?.readUInt32LE(), 0x01020304);
});

test("answers are told apart, with the kernel's own words", () => {
  const error = Buffer.concat([
    Buffer.from("edffffff", "hex"),
    Buffer.alloc(16),
    attribute(1, "Interface already exists"),
  ]);
  const frame = (type: number, flags: number, sequence: number, body: Buffer) => {
    const header = Buffer.alloc(16);
    header.writeUInt32LE(16 + body.length, 0);
    header.writeUInt16LE(type, 4);
    header.writeUInt16LE(flags, 6);
    header.writeUInt32LE(sequence, 8);
    return Buffer.concat([header, body, Buffer.alloc(-body.length & 3)]);
  };
  const reply = parseReply(
    Buffer.concat([
      frame(16, 0x12, 0, Buffer.from("link")),
      frame(2, 0x300, 1, error),
      frame(2, 0x100, 2, Buffer.alloc(20)),
      frame(3, 0x2, 3, Buffer.alloc(4)),
    ]),
  );
  assert.deepEqual(reply.messages, [{ type: 16, body: Buffer.from("link") }]);
  assert.deepEqual(reply.refusals, [{ sequence: 1, errno: 19, reason: "Interface already exists" }]);
  assert.equal(reply.interrupted, true);
});

test("lengths that lie end the reading", () => {
  assert.equal(parseAttributes(Buffer.from("0200010000000000", "hex")).size, 0);
  assert.equal(parseAttributes(Buffer.from("ff00010000000000", "hex")).size, 0);
  assert.deepEqual(parseReply(Buffer.from("0f000000100000000000000000000000", "hex")).messages, []);
  assert.deepEqual(parseReply(Buffer.from("ff000000100000000000000000000000", "hex")).messages, []);
});
