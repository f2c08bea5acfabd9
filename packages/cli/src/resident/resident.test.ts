import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { encodeRelayFrame, type RelayFrame, RelayFrameDecoder } from "./frames.ts";
import { ownIdentity, parseHello } from "./hello.ts";
import { Resident } from "./resident.ts";

async function openResident(options: { readonly greetingMs?: number; readonly idleMs?: number } = {}) {
  const dir = await openTempDir();
  const socketPath = join(dir.path, "socket");
  const resident = await Resident.open({ socketPath, idleMs: 60_000, greetingMs: 10_000, ...options });
  return {
    resident,
    socketPath,
    async [Symbol.asyncDispose]() {
      await resident[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Send these bytes; what came back by the time that the resident client closed. */
async function talk(socketPath: string, ...messages: readonly Buffer[]): Promise<readonly RelayFrame[]> {
  const decoder = new RelayFrameDecoder();
  const frames: RelayFrame[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect(socketPath);
  socket.on("error", () => {});
  socket.on("close", () => resolve());
  socket.on("data", (bytes) => frames.push(...decoder.push(bytes)));
  for (const message of messages) socket.write(message);
  await promise;
  return frames;
}

const hello = (argv: readonly string[], identity = ownIdentity()) =>
  encodeRelayFrame(
    "H",
    Buffer.from(["1", identity, "000", "/", String(argv.length), ...argv, "A=1", ""].join("\0")),
  );
const go = encodeRelayFrame("G", Buffer.alloc(0));

const shown = (frames: readonly RelayFrame[]) =>
  frames.map(({ kind, bytes }) => [kind, kind === "X" ? bytes[0] : bytes.toString()]);

test("a stub's command is done, its output comes before its exit code", async () => {
  await using opened = await openResident();
  const frames = await talk(opened.socketPath, hello(["--version"]), go);
  const [accepted, output, exit] = shown(frames);
  assert.deepEqual([accepted, exit, frames.length], [["A", ""], ["X", 0], 3]);
  assert.match(String(output?.[1]), /^Hawser version /);
  const [, words, code] = shown(await talk(opened.socketPath, hello(["container", "no-such-verb"]), go));
  assert.deepEqual([words?.[0], code], ["R", ["X", 1]]);
});

test("only this user can connect", async () => {
  await using opened = await openResident();
  assert.equal(statSync(opened.socketPath).mode & 0o777, 0o600);
});

test("a process that is not like this one is declined, and one that may become a plugin", async () => {
  await using opened = await openResident();
  assert.deepEqual(shown(await talk(opened.socketPath, hello(["compose", "up"]), go)), [["D", ""]]);
  assert.deepEqual(shown(await talk(opened.socketPath, hello(["--version"], "Umask: 0077"), go)), [
    ["D", ""],
  ]);
});

test("what no stub says closes the connection, and nothing else", async () => {
  await using opened = await openResident();
  const number = Buffer.alloc(5, 0xff);
  const bad = [
    [Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    [go],
    [encodeRelayFrame("H", Buffer.from(["1", "x", "000", "/", "9", ""].join("\0")))],
    [encodeRelayFrame("H", Buffer.from("2\0"))],
    [encodeRelayFrame("H", Buffer.from("no end"))],
    [Buffer.concat([Buffer.from("H"), number])],
  ];
  for (const messages of bad) assert.deepEqual(await talk(opened.socketPath, ...messages), []);
  const odd = [encodeRelayFrame("?", Buffer.alloc(0)), encodeRelayFrame("W", Buffer.alloc(3)), hello([])];
  for (const frame of odd)
    assert.deepEqual(shown(await talk(opened.socketPath, hello(["--version"]), frame)), [["A", ""]]);
  const [, output] = await talk(opened.socketPath, hello(["--version"]), go);
  assert.equal(output?.kind, "O");
});

test("a stub that does not say go is not waited for", async () => {
  await using opened = await openResident({ greetingMs: 20 });
  assert.deepEqual(shown(await talk(opened.socketPath, hello(["--version"]))), [["A", ""]]);
  assert.deepEqual(await talk(opened.socketPath), []);
});

test("a resident client that nobody wants is idle in the end", async () => {
  await using opened = await openResident({ idleMs: 20 });
  await opened.resident.idle;
});

test("parseHello() has the first of two values for one name, and no name that objects have", () => {
  const texts = ["1", "id", "101", "/work", "1", "ps", "A=1", "A=2", "__proto__=x", "=y", ""];
  const { argv, environment, terminals, workingDir } = parseHello(Buffer.from(texts.join("\0")));
  assert.deepEqual([argv, terminals, workingDir], [["ps"], [true, false, true], "/work"]);
  assert.deepEqual(Object.entries(environment), [
    ["A", "1"],
    ["__proto__", "x"],
  ]);
});
