import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gunzipSync, inflateSync } from "node:zlib";
import { openTempDir } from "@hawser/base/testing";
import { decode, decodeMulti, encode } from "@msgpack/msgpack";
import { checkLog } from "../../spec/check-log.ts";
import { findRemoteDriver } from "./drivers.ts";
import { chunksOf } from "./gelf.ts";
import { formatJournalEntry } from "./journald.ts";
import type { LogDestination, LogMessage, LogSubject } from "./log-driver.ts";
import { formatSyslog } from "./syslog.ts";
import { MessageMaker } from "./to-messages.ts";

const time = "2026-11-23T18:27:58.123456789Z";
const subject: LogSubject = {
  containerId: "0123456789abcdef".repeat(4),
  containerName: "one",
  imageId: "sha256:aa",
  imageName: "busybox",
  command: "echo hello",
  created: "2026-11-23T18:27:57Z",
  tag: "mine",
  attributes: { a: "b" },
  hostname: "here",
};
const message = (text: string, stream: LogMessage["stream"] = "stdout"): LogMessage => ({
  text,
  stream,
  time,
});

async function open(driver: string, options: Record<string, string>): Promise<LogDestination> {
  const found = findRemoteDriver(driver);
  assert.ok(found);
  return await found.open(options, subject);
}

/** A receiver of one connection's bytes. */
async function listenStream(answer?: (socket: Socket, bytes: Buffer) => void) {
  const received: Buffer[] = [];
  const sockets = new Set<Socket>();
  const arrived = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("data", (bytes) => {
      received.push(bytes);
      answer?.(socket, bytes);
    });
    socket.on("close", () => arrived.resolve());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return {
    port: address.port,
    all: async () => {
      await arrived.promise;
      return Buffer.concat(received);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

async function listenDatagrams() {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    port: socket.address().port,
    next: async () => ((await once(socket, "message")) as [Buffer])[0],
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, "close");
    },
  };
}

describe("syslog", () => {
  test("formats of a message", () => {
    const as = (format: "unix" | "rfc3164" | "rfc5424" | "rfc5424micro", stream?: "stderr") =>
      formatSyslog(message("hello", stream), { format, facility: 3, subject });
    const pid = process.pid;
    assert.match(as("unix"), new RegExp(`^<30>Nov 2\\d \\d\\d:\\d\\d:58 mine\\[${pid}\\]: hello$`));
    assert.match(
      as("rfc3164", "stderr"),
      new RegExp(`^<27>Nov 2\\d \\d\\d:\\d\\d:58 here mine\\[${pid}\\]: hello$`),
    );
    assert.equal(as("rfc5424"), `<30>1 2026-11-23T18:27:58Z here mine ${pid} mine - hello`);
    assert.equal(as("rfc5424micro"), `<30>1 2026-11-23T18:27:58.123456Z here mine ${pid} mine - hello`);
  });

  test("by TCP: a line each, none for a line of nothing", async () => {
    await using receiver = await listenStream();
    {
      await using to = await open("syslog", {
        "syslog-address": `tcp://127.0.0.1:${receiver.port}`,
        "syslog-facility": "local3",
        "syslog-format": "rfc5424",
      });
      await to.send([message("one"), message(""), message("two", "stderr")]);
    }
    const [first, second, ...rest] = (await receiver.all()).toString().split("\n");
    assert.match(first ?? "", /^<158>1 .* - one$/);
    assert.match(second ?? "", /^<155>1 .* - two$/);
    assert.deepEqual(rest, [""]);
  });

  test("by UDP: a datagram each", async () => {
    await using receiver = await listenDatagrams();
    await using to = await open("syslog", { "syslog-address": `udp://127.0.0.1:${receiver.port}` });
    const next = receiver.next();
    await to.send([message("one")]);
    assert.match((await next).toString(), /^<30>.* mine\[\d+\]: one\n$/);
  });

  test("nobody there", async () => {
    const { port } = await (async () => {
      await using receiver = await listenStream();
      return receiver;
    })();
    await assert.rejects(open("syslog", { "syslog-address": `tcp://127.0.0.1:${port}` }), {
      message: `dial tcp 127.0.0.1:${port}: connect: connection refused`,
    });
  });
});

describe("gelf", () => {
  const options = (scheme: string, port: number) => ({ "gelf-address": `${scheme}://127.0.0.1:${port}` });

  test("by UDP: compressed as asked", async () => {
    await using receiver = await listenDatagrams();
    const unpackers = { gzip: gunzipSync, zlib: inflateSync, none: (bytes: Buffer) => bytes };
    for (const [type, unpack] of Object.entries(unpackers)) {
      await using to = await open("gelf", {
        ...options("udp", receiver.port),
        "gelf-compression-type": type,
      });
      const next = receiver.next();
      await to.send([message("hello", "stderr")]);
      assert.deepEqual(JSON.parse(unpack(await next).toString()), {
        version: "1.1",
        host: "here",
        short_message: "hello",
        timestamp: 1795458478.123,
        level: 3,
        _a: "b",
        _command: "echo hello",
        _container_id: subject.containerId,
        _container_name: "one",
        _created: "2026-11-23T18:27:57Z",
        _image_id: "sha256:aa",
        _image_name: "busybox",
        _tag: "mine",
      });
    }
  });

  test("by TCP: a zero byte behind each", async () => {
    await using receiver = await listenStream();
    {
      await using to = await open("gelf", options("tcp", receiver.port));
      await to.send([message("one"), message("two")]);
    }
    const texts = (await receiver.all()).toString().split("\0");
    assert.deepEqual(
      texts.slice(0, -1).map((text) => (JSON.parse(text) as { short_message: string }).short_message),
      ["one", "two"],
    );
  });

  test("a message that is larger than a datagram comes in chunks", () => {
    const text = Buffer.from("x".repeat(5000));
    const chunks = chunksOf(text);
    assert.ok(chunks.every((chunk) => chunk.length <= 1420));
    assert.deepEqual(
      chunks.map((chunk) => [chunk.readUInt16BE(0), chunk[10], chunk[11]]),
      chunks.map((_, index) => [0x1e0f, index, chunks.length]),
    );
    assert.equal(new Set(chunks.map((chunk) => chunk.toString("hex", 2, 10))).size, 1);
    assert.deepEqual(Buffer.concat(chunks.map((chunk) => chunk.subarray(12))), text);
    assert.deepEqual(chunksOf(Buffer.alloc(1 << 20)), []);
  });
});

describe("fluentd", () => {
  const record = (text: string, source = "stdout") => ({
    a: "b",
    container_id: subject.containerId,
    container_name: "/one",
    log: text,
    source,
  });

  test("messages in Forward mode", async () => {
    await using receiver = await listenStream();
    {
      await using to = await open("fluentd", { "fluentd-address": `127.0.0.1:${receiver.port}` });
      await to.send([message("one"), message("two", "stderr")]);
      await to.send([message("")]);
    }
    const seconds = 1795458478;
    assert.deepEqual(
      [...decodeMulti(await receiver.all())],
      [
        [
          "mine",
          [
            [seconds, record("one")],
            [seconds, record("two", "stderr")],
          ],
          { size: 2 },
        ],
        ["mine", [[seconds, record("")]], { size: 1 }],
      ],
    );
  });

  test("sends what is acknowledged, in nanoseconds if asked", async () => {
    const said: unknown[] = [];
    await using receiver = await listenStream((socket, bytes) => {
      const [, , options] = decode(bytes) as [string, unknown, { readonly chunk: string }];
      said.push(options.chunk);
      socket.write(encode({ ack: said.length === 1 ? options.chunk : "another" }));
    });
    await using to = await open("fluentd", {
      "fluentd-address": `tcp://127.0.0.1:${receiver.port}`,
      "fluentd-request-ack": "true",
      "fluentd-sub-second-precision": "true",
    });
    await to.send([message("one")]);
    await assert.rejects(to.send([message("two")]), /acknowledges something else/);
    assert.notEqual(said[0], said[1]);
  });
});

test("an entry of the journal", () => {
  const entry = formatJournalEntry(
    { ...message("a\nb", "stderr"), part: { id: "p", ordinal: 2, isLast: false } },
    { ...subject, attributes: { "com.example-x": "y", _hidden: "z" } },
    { epoch: "e", ordinal: 7 },
  );
  const lines = entry.toString("latin1").split("\n");
  assert.deepEqual(lines.slice(0, 3), ["MESSAGE", "\x03\0\0\0\0\0\0\0a", "b"]);
  for (const line of [
    "PRIORITY=3",
    `CONTAINER_ID=${subject.containerId.slice(0, 12)}`,
    `CONTAINER_ID_FULL=${subject.containerId}`,
    "CONTAINER_NAME=one",
    "CONTAINER_TAG=mine",
    "SYSLOG_IDENTIFIER=mine",
    `SYSLOG_TIMESTAMP=${time}`,
    "COM_EXAMPLE_X=y",
    "HIDDEN=z",
    "CONTAINER_PARTIAL_MESSAGE=true",
    "CONTAINER_LOG_ORDINAL=7",
  ])
    assert.ok(lines.includes(line), line);
});

test("parts of a long line know each other", () => {
  const maker = new MessageMaker();
  const entry = (text: string, stream: "stdout" | "stderr" = "stdout") => maker.make({ text, stream, time });
  assert.equal(entry("whole\n").part, undefined);
  const [first, other, last, next] = [entry("be"), entry("err\n", "stderr"), entry("gin\n"), entry("x\n")];
  assert.equal(other.part, undefined);
  assert.equal(next.part, undefined);
  assert.deepEqual(
    [first, last].map(({ text, part }) => [text, part?.ordinal, part?.isLast, part?.id === first.part?.id]),
    [
      ["be", 1, false, true],
      ["gin", 2, true, true],
    ],
  );
});

test("options are refused in Docker's words", async () => {
  await using dir = await openTempDir();
  await writeFile(join(dir.path, "log"), "");
  const refusals: readonly (readonly [string, Record<string, string>, string])[] = [
    ["awslogs", {}, 'error looking up logging plugin awslogs: plugin "awslogs" not found'],
    ["constructor", {}, 'error looking up logging plugin constructor: plugin "constructor" not found'],
    ["json-file", { mode: "x" }, "logger: logging mode not supported: x"],
    [
      "json-file",
      { "max-buffer-size": "1m" },
      "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
    ],
    [
      "json-file",
      { mode: "non-blocking", "max-buffer-size": "x" },
      "error parsing option max-buffer-size: invalid size: 'x'",
    ],
    ["json-file", { "cache-disabled": "x" }, "invalid value for option cache-disabled: x"],
    ["json-file", { "syslog-address": "x" }, "unknown log opt 'syslog-address' for json-file log driver"],
    ["local", { tag: "x" }, "unknown log opt 'tag' for log driver local"],
    ["journald", { "max-size": "1m" }, "unknown log opt 'max-size' for journald log driver"],
    ["syslog", { nope: "x" }, "unknown log opt 'nope' for syslog log driver"],
    ["syslog", { "syslog-address": "http://a" }, "unsupported scheme: 'http'"],
    ["syslog", { "syslog-address": "unix:///nowhere" }, "stat /nowhere: no such file or directory"],
    ["syslog", { "syslog-facility": "24" }, "invalid syslog facility"],
    ["syslog", { "syslog-facility": "-" }, "invalid syslog facility"],
    ["syslog", { "syslog-format": "x" }, "Invalid syslog format"],
    ["gelf", {}, "gelf-address is a required parameter"],
    ["gelf", { "gelf-address": "http://a:1" }, "gelf: endpoint needs to be TCP or UDP"],
    ["gelf", { "gelf-address": "udp://a" }, "gelf: please provide gelf-address as proto://host:port"],
    [
      "gelf",
      { "gelf-address": "tcp://a:1", "gelf-compression-type": "gzip" },
      "compression is only supported on UDP",
    ],
    [
      "gelf",
      { "gelf-address": "udp://a:1", "gelf-compression-level": "10" },
      'unknown value "10" for log opt "gelf-compression-level" for gelf log driver',
    ],
    [
      "gelf",
      { "gelf-address": "udp://a:1", "gelf-tcp-max-reconnect": "1" },
      '"gelf-tcp-max-reconnect" is only valid for TCP',
    ],
    ["gelf", { "gelf-address": "udp://a:1", x: "1" }, 'unknown log opt "x" for gelf log driver'],
    [
      "fluentd",
      { "fluentd-address": "udp://a:1" },
      "invalid fluentd-address (udp://a:1): unsupported scheme: 'udp'",
    ],
    [
      "fluentd",
      { "fluentd-address": "tcp://a:1/b" },
      "invalid fluentd-address (tcp://a:1/b): should not contain a path element",
    ],
    ["fluentd", { "fluentd-address": "unix://" }, "invalid fluentd-address (unix://): path is empty"],
    [
      "fluentd",
      { "fluentd-address": "tcp://a:99999" },
      'invalid fluentd-address (tcp://a:99999): invalid port: strconv.ParseUint: parsing "99999": value out of range',
    ],
    ["fluentd", { "fluentd-async": "maybe" }, 'strconv.ParseBool: parsing "maybe": invalid syntax'],
    ["fluentd", { "fluentd-retry-wait": "1" }, 'time: missing unit in duration "1"'],
    [
      "fluentd",
      { "fluentd-async-reconnect-interval": "50ms" },
      'invalid value for fluentd-async-reconnect-interval: value ("50ms") must be between 100ms and 10s',
    ],
    [
      "fluentd",
      { "fluentd-write-timeout": "-1s" },
      "invalid value for fluentd-write-timeout: value must be a duration that is non-negative",
    ],
  ];
  for (const [driver, options, message] of refusals)
    assert.throws(() => checkLog({ driver, options }), { message });
  for (const [driver, options] of [
    ["none", { whatever: "x" }],
    ["syslog", {}],
    ["syslog", { "syslog-address": `unixgram://${join(dir.path, "log")}`, "syslog-facility": "7" }],
    ["syslog", { "syslog-address": "tcp+tls://[::1]", "cache-max-size": "1m", env: "A" }],
    [
      "fluentd",
      { "fluentd-address": "localhost", "fluentd-retry-wait": "1.5s", "fluentd-buffer-limit": "8MB" },
    ],
    ["gelf", { "gelf-address": "udp://[::1]:12201", mode: "non-blocking", "max-buffer-size": "4m" }],
  ] as const)
    checkLog({ driver, options });
});
