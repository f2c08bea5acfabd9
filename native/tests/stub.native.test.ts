import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, mkdir, stat, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { before, test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { buildPrograms, sanitized } from "./testing/rig.ts";

before(() => {
  buildPrograms();
});

/** What the client says that the stub becomes when nobody else does the command. */
const direct = { code: 3, stdout: "direct one two\n", stderr: "" };

/** Run the stub beside a resident client by script; `undefined`: nobody listens. */
async function run(
  script?: (socket: Socket, hello: Buffer) => void,
  options: { readonly mode?: number } = {},
) {
  await using dir = await openTempDir("hs-");
  const [client, folder] = [join(dir.path, "client"), join(dir.path, "run")];
  for (const path of [client, folder]) await mkdir(path, { mode: 0o700 });
  await chmod(folder, options.mode ?? 0o700);
  await writeFile(
    join(client, "main.js"),
    `console.log("direct", ...process.argv.slice(2)); process.exit(3)`,
  );
  await writeFile(join(client, "resident.js"), "process.exit(0)");
  const { ino, mtimeNs } = await stat(join(client, "resident.js"), { bigint: true });
  const nanoseconds = (mtimeNs % 1_000_000_000n).toString(16);
  const name = `hawser-${ino.toString(16)}-${(mtimeNs / 1_000_000_000n).toString(16)}${nanoseconds}`;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    let hello = Buffer.alloc(0);
    const collect = (chunk: Buffer) => {
      hello = Buffer.concat([hello, chunk]);
      if (hello.length < 5 || hello.length < 5 + hello.readUInt32BE(1)) return;
      socket.off("data", collect);
      script?.(socket, hello);
    };
    socket.on("data", collect);
  });
  if (script !== undefined) {
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(join(folder, name), resolve);
    await promise;
  }
  const child = spawn(sanitized.stub, [process.execPath, client, "one", "two"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, XDG_RUNTIME_DIR: folder },
  });
  const written = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].on("data", (chunk: Buffer) => {
      written[stream] += chunk.toString();
    });
  }
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.on("close", resolve);
  const code = await promise;
  server.close();
  return { code, ...written };
}

function frame(kind: string, bytes: Buffer | string = "", length = Buffer.byteLength(bytes)): Buffer {
  const head = Buffer.alloc(5);
  head.write(kind);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, Buffer.from(bytes)]);
}

/** Accept, and answer the word to go. */
function accepting(...frames: readonly Buffer[]) {
  return (socket: Socket) => {
    socket.once("data", () => socket.end(Buffer.concat(frames)));
    socket.write(frame("A"));
  };
}

test("a stub does what the resident client says", async () => {
  const result = await run(accepting(frame("O", "out\n"), frame("R", "err\n"), frame("X", "\x07")));
  assert.deepEqual(result, { code: 7, stdout: "out\n", stderr: "err\n" });
});

test("a stub tells its arguments and where it is", async () => {
  let told = "";
  await run((socket, hello) => {
    told = hello.subarray(5).toString();
    socket.destroy();
  });
  const [protocol, identity = "", terminals, folder, count, ...rest] = told.split("\0");
  assert.deepEqual([protocol, terminals, folder, count], ["1", "000", process.cwd(), "2"]);
  assert.match(identity, /^Umask:.*Uid:.*Groups:.*CapEff:.*mnt:\[\d+\]/s);
  assert.deepEqual(rest.slice(0, 2), ["one", "two"]);
  assert.ok(rest.some((variable) => variable.startsWith("XDG_RUNTIME_DIR=")));
});

test("a stub becomes the client when there is no resident one, or it does not begin", async () => {
  assert.deepEqual(await run(), direct);
  assert.deepEqual(await run((socket) => socket.destroy()), direct);
  assert.deepEqual(await run((socket) => socket.end(frame("D"))), direct);
  assert.deepEqual(await run((socket) => socket.end("AA")), direct);
  assert.deepEqual(await run((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")), direct);
  assert.deepEqual(await run(() => {}), direct); // it waits for three seconds
});

test("a stub takes no folder that others may enter", async () => {
  assert.deepEqual(await run(accepting(frame("X", "\x07")), { mode: 0o755 }), direct);
});

test("a resident client that has begun and breaks off, or talks nonsense, ends the stub with its words", async () => {
  const broken = [
    [],
    [frame("?")],
    [frame("O", "half", 100)],
    [frame("O", "", 0xffff_ffff)],
    [Buffer.from("O\0\0")],
    [frame("X")],
  ];
  for (const frames of broken) {
    const { code, stderr } = await run(accepting(...frames));
    assert.equal(code, 125, JSON.stringify(frames));
    if (frames[0]?.[0] !== 0x58) assert.match(stderr, /^hawser: the resident client ended early/);
  }
  const odd = accepting(
    frame("L", Buffer.from([0, 200, 9, 255, 2])),
    frame("T", "\x01"),
    frame("N"),
    frame("X", "\0"),
  );
  assert.equal((await run(odd)).code, 0);
});
