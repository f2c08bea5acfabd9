import assert from "node:assert/strict";
import { fuzz, inPieces, orRefused } from "@hawser/base/testing/fuzz";
import fc from "fast-check";
import { parseFilters } from "./filters.ts";
import { encodeFrame, FrameDecoder, type StreamName } from "./stream-frames.ts";

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 5 });

fuzz(
  "frames come out as they went in, in whatever pieces",
  fc.tuple(
    fc.array(
      fc.tuple(fc.constantFrom<StreamName>("stdin", "stdout", "stderr"), fc.uint8Array({ maxLength: 60 })),
    ),
    sizes,
  ),
  ([frames, pieces]) => {
    const bytes = Buffer.concat(frames.map(([stream, payload]) => encodeFrame(stream, payload)));
    const decoder = new FrameDecoder();
    const told = new Map<string, string>();
    const add = (stream: string, payload: Uint8Array) =>
      told.set(stream, `${told.get(stream) ?? ""}${Buffer.from(payload).toString("hex")}`);
    for (const piece of inPieces(bytes, pieces)) {
      for (const { stream, payload } of decoder.decode(Buffer.from(piece))) add(stream, payload);
    }
    const wanted = new Map<string, string>();
    for (const [stream, payload] of frames) {
      wanted.set(stream, `${wanted.get(stream) ?? ""}${Buffer.from(payload).toString("hex")}`);
    }
    for (const [stream, hex] of wanted) assert.equal(told.get(stream) ?? "", hex);
  },
);

fuzz(
  "bytes that are no frames are refused or wait for more",
  fc.tuple(fc.uint8Array({ maxLength: 200 }), sizes),
  ([bytes, pieces]) => {
    orRefused(["data-loss", "invalid-argument"], () => {
      const decoder = new FrameDecoder();
      for (const piece of inPieces(bytes, pieces)) for (const _ of decoder.decode(Buffer.from(piece)));
    });
  },
);

fuzz("filters are read or refused", fc.oneof(fc.json(), fc.string()), (text) => {
  orRefused(["invalid-argument"], () => parseFilters(text, ["a", "b"]));
});
