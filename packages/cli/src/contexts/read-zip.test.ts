import assert from "node:assert/strict";
import test from "node:test";
import { deflateRawSync } from "node:zlib";
import { writeZip } from "../testing/write-zip.ts";
import { readZip } from "./read-zip.ts";

const maxBytes = 1 << 20;
const text = (archive: Buffer) =>
  readZip(archive, { maxBytes }).map(({ name, data }) => [name, data.toString()]);

test("files come as they were put in, deflated or not, with what stands before and behind", () => {
  const files = [
    { name: "meta.json", data: Buffer.from("{}") },
    { name: "tls/", data: Buffer.alloc(0) },
    { name: "tls/docker/ca.pem", data: Buffer.from("a".repeat(5000)), deflate: true },
    { name: "empty", data: Buffer.alloc(0), deflate: true },
  ];
  const wanted = [
    ["meta.json", "{}"],
    ["tls/docker/ca.pem", "a".repeat(5000)],
    ["empty", ""],
  ];
  assert.deepEqual(text(writeZip(files)), wanted);
  assert.deepEqual(text(writeZip(files, { comment: "PK of somebody" })), wanted);
  assert.deepEqual(text(writeZip([])), []);
});

test("what is damaged, lies or holds too much is refused", () => {
  const file = { name: "a", data: Buffer.from("some text"), deflate: true };
  const refuses = (archive: Buffer, words: RegExp) => assert.throws(() => text(archive), words);
  refuses(Buffer.from("PK"), /not a valid zip file/);
  refuses(writeZip([file]).subarray(0, -1), /not a valid zip file/);
  refuses(writeZip([file]).subarray(1), /not a valid zip file/);
  refuses(writeZip([{ ...file, crc: 1 }]), /checksum error/);
  refuses(writeZip([{ ...file, sizeBytes: 8 }]), /checksum error|larger than/);
  refuses(writeZip([{ ...file, sizeBytes: 10 }]), /checksum error/);
  refuses(writeZip([{ ...file, method: 12 }]), /unsupported/);
  refuses(writeZip([{ ...file, flags: 1 }]), /unsupported/);
  refuses(writeZip([{ ...file, sizeBytes: maxBytes + 1 }]), /holds too much/);
  const half = { name: "b", data: Buffer.alloc(maxBytes / 2 + 1), deflate: true };
  refuses(writeZip([half, half]), /holds too much/);
  const bomb = { name: "c", data: deflateRawSync(Buffer.alloc(1 << 28)), isPacked: true, sizeBytes: 10 };
  refuses(writeZip([bomb]), /larger than/);
});
