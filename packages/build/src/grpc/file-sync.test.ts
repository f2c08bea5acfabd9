import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { readTar, writeTar } from "@hawser/base";
import { ClientSession } from "./client-session.ts";
import { receiveFolder } from "./file-sync.ts";
import { Packet_PacketType as Kind, type Packet, type PacketSchema } from "./generated/fsutil_pb.ts";
import { FileSync } from "./generated/session_pb.ts";
import { goModeOf } from "./go-mode.ts";

type Sent = MessageInitShape<typeof PacketSchema>;
type Script = (asked: AsyncIterable<Packet>, headers: Headers) => AsyncIterable<Sent>;

/** A session with a client that sends what a test says. */
async function openSession(script: Script) {
  const handler = connectNodeAdapter({
    routes: (router) =>
      router.service(FileSync, {
        diffCopy: (requests, { requestHeader }) => script(requests, requestHeader),
      }),
  });
  const server = createServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  const http2 = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const methods = ["/moby.filesync.v1.FileSync/DiffCopy"];
  return {
    session: new ClientSession(http2, { id: "test", sharedKey: "", methods }),
    [Symbol.dispose]() {
      http2.destroy();
      server.close();
    },
  };
}

const file = (path: string, size: number, more: object = {}): Sent => ({
  type: Kind.PACKET_STAT,
  stat: { path, mode: goModeOf("file", 0o640), size: BigInt(size), ...more },
});
const listed: Sent = { type: Kind.PACKET_STAT };
const data = (id: number, text: string): Sent => ({ type: Kind.PACKET_DATA, id, data: Buffer.from(text) });

/** What an honest client does: lists, then gives what it is asked for. */
function honest(entries: readonly Sent[], contents: Readonly<Record<number, readonly string[]>>): Script {
  return async function* (asked) {
    yield* entries;
    yield listed;
    for await (const { type, id } of asked) {
      if (type === Kind.PACKET_FIN) {
        yield { type: Kind.PACKET_FIN };
        return;
      }
      for (const text of contents[id] ?? []) yield data(id, text);
      yield data(id, "");
    }
  };
}

async function receive(
  session: ClientSession,
  more: object = {},
): Promise<readonly (readonly [string, string, number, string])[]> {
  const request = { name: "context", signal: AbortSignal.timeout(10_000), onProgress: () => {}, ...more };
  const found: (readonly [string, string, number, string])[] = [];
  for await (const { entry, data: bytes } of readTar(writeTar(receiveFolder(session, request)))) {
    const text = Buffer.concat(await Array.fromAsync(bytes)).toString();
    found.push([entry.path.toString(), entry.type, entry.mode, text || entry.linkPath.toString()]);
  }
  return found;
}

describe("receiveFolder()", () => {
  test("brings files, folders and links, in order, with several values of one header", async () => {
    let headers: Headers | undefined;
    const script = honest(
      [
        { type: Kind.PACKET_STAT, stat: { path: "d", mode: goModeOf("directory", 0o1755) } },
        file("d/a", 6),
        file("d/b", 0, { linkName: "d/a" }),
        { type: Kind.PACKET_STAT, stat: { path: "l", mode: goModeOf("symlink", 0o777), linkName: "d/a" } },
        { type: Kind.PACKET_STAT, stat: { path: "socket", mode: (1 << 24) | 0o600 } },
        file("z", 0),
      ],
      { 1: ["one", "two"] },
    );
    using opened = await openSession((asked, sent) => {
      headers = sent;
      return script(asked, sent);
    });
    assert.deepEqual(await receive(opened.session, { exclude: ["*.log", "ü"], follow: ["d", "z"] }), [
      ["d/", "directory", 0o1755, ""],
      ["d/a", "file", 0o640, "onetwo"],
      ["d/b", "hardlink", 0o640, "d/a"],
      ["l", "symlink", 0o777, "d/a"],
      ["z", "file", 0o640, ""],
    ]);
    assert.equal(headers?.get("dir-name"), "context");
    assert.equal(headers?.get("followpaths"), "d, z");
    assert.equal(headers?.get("exclude-patterns"), "*.log, %C3%BC");
    assert.equal(headers?.get("exclude-patterns-encoded"), "1");
  });

  test("takes content that comes early and mixed up", async () => {
    const entries = Array.from({ length: 600 }, (_, at) => file(`f${String(at).padStart(3, "0")}`, 2));
    using opened = await openSession(async function* (asked) {
      yield* entries;
      yield listed;
      const waiting: number[] = [];
      for await (const { type, id } of asked) {
        if (type === Kind.PACKET_FIN) break;
        waiting.push(id);
        if (waiting.length < 3 && id < 597) continue;
        for (const each of waiting) yield data(each, "x");
        for (const each of waiting.splice(0).reverse()) {
          yield data(each, "y");
          yield data(each, "");
        }
      }
      yield { type: Kind.PACKET_FIN };
    });
    const found = await receive(opened.session);
    assert.equal(found.length, 600);
    assert.ok(found.every(([, , , text]) => text === "xy"));
  });

  const hostile: Readonly<Record<string, readonly [Script, RegExp]>> = {
    "a file that is longer than it said": [
      honest([file("a", 2)], { 0: ["abc"] }),
      /a has changed while it was sent/,
    ],
    "a file that is shorter than it said": [
      honest([file("a", 9)], { 0: ["abc"] }),
      /a has changed while it was sent/,
    ],
    "content that nobody asked for": [
      async function* () {
        yield data(7, "x");
      },
      /content came before it was asked for/,
    ],
    "a size that is none": [honest([file("a", -1)], {}), /makes no sense/],
    "an entry without a name": [honest([file("", 0)], {}), /makes no sense/],
    "an end in the middle": [
      async function* () {
        yield file("a", 1);
      },
      /it ended early/,
    ],
    "its own complaint": [
      async function* () {
        yield { type: Kind.PACKET_ERR, data: Buffer.from("cannot read secret.key") };
      },
      /failed to load context: cannot read secret\.key/,
    ],
  };
  for (const [what, [script, message]] of Object.entries(hostile)) {
    test(`refuses ${what}`, async () => {
      using opened = await openSession(script);
      await assert.rejects(receive(opened.session), { message });
    });
  }

  test("ends with its signal, and with its session", async () => {
    const silent: Script = async function* (asked) {
      yield file("a", 1);
      yield listed;
      for await (const _ of asked); // gives nothing
    };
    {
      using opened = await openSession(silent);
      await assert.rejects(receive(opened.session, { signal: AbortSignal.timeout(50) }), {
        name: "AbortError",
      });
    }
    using opened = await openSession(silent);
    const received = receive(opened.session);
    setImmediate(() => opened.session.http2.destroy());
    await assert.rejects(received, { message: /session|closed|ended/i });
  });
});
