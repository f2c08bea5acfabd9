import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { netlink, netlinkAsync } from "./index.ts";

const dumpFlags = 0x301;
const ackFlags = 0x5;

/** RTM_GETLINK: all of them, or the one with that index. */
function getLink(flags: number, index = 0): Buffer {
  const message = Buffer.alloc(32);
  message.writeUInt32LE(32, 0);
  message.writeUInt16LE(18, 4);
  message.writeUInt16LE(flags, 6);
  message.writeInt32LE(index, 20);
  return message;
}

function indexesIn(reply: Uint8Array): number[] {
  const bytes = Buffer.from(reply);
  const indexes: number[] = [];
  for (let at = 0; at < bytes.length; at += (bytes.readUInt32LE(at) + 3) & ~3) {
    if (bytes.readUInt16LE(at + 4) === 16) indexes.push(bytes.readInt32LE(at + 20));
  }
  return indexes;
}

test("a dump is answered whole, the same on the event loop and beside it", async () => {
  // More than once where others make interfaces meanwhile.
  await eventually(async () => {
    const indexes = indexesIn(netlink(getLink(dumpFlags)));
    assert.ok(indexes.includes(1), "lo");
    assert.deepEqual(indexesIn(await netlinkAsync(getLink(dumpFlags))), indexes);
    return true;
  });
});

test("each message of a piece is answered, also after one that is refused", () => {
  const reply = netlink(
    Buffer.concat([getLink(ackFlags, 1), getLink(ackFlags, 0x7ffffffe), getLink(ackFlags, 1)]),
  );
  assert.deepEqual(indexesIn(reply), [1, 1]);
});

test("a request that would never be answered is refused", async () => {
  const lying = getLink(dumpFlags);
  lying.writeUInt32LE(4000, 0);
  const short = getLink(dumpFlags);
  short.writeUInt32LE(8, 0);
  for (const request of [Buffer.alloc(0), Buffer.alloc(7), getLink(0x1), lying, short]) {
    assert.throws(() => netlink(request), { code: "EINVAL", syscall: "netlink" });
    await assert.rejects(netlinkAsync(request), { code: "EINVAL" });
  }
});

test("a descriptor that is not a namespace is refused", async () => {
  assert.throws(() => netlink(getLink(dumpFlags), { namespaceFd: 0 }), { syscall: "setns", code: "EINVAL" });
  await assert.rejects(netlinkAsync(getLink(dumpFlags), { namespaceFd: 1_000_000 }), { code: "EBADF" });
});
