import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { buildPrograms, type Container, openStream, Rig, readLog } from "./testing/rig.ts";

let rig: Rig;
before(async () => {
  buildPrograms();
  rig = await Rig.open();
});
after(async () => {
  await rig[Symbol.asyncDispose]();
});

/** Run a container that writes exactly these bytes, and return its log. */
async function logOf(bytes: Buffer, fields = {}): Promise<Container> {
  await writeFile(join(rig.root, "bytes"), bytes);
  const container = await rig.start({ args: ["cat", "/bytes"], fields });
  await container.control.wait("exited");
  await rig.expectGone(container);
  return container;
}

async function textOf(bytes: Buffer): Promise<string> {
  const container = await logOf(bytes);
  return await readFile(join(container.state, "json.log"), "utf8");
}

test("what stands in JSON, and what Go escapes for HTML, is escaped as Go does", async () => {
  const text = await textOf(
    Buffer.from(`"q" \\ \t\r\u0001\u001f\u007f<a href='x'>&</a> é € 😀 \u2028\u2029\n`),
  );
  const [, log] = /^\{"log":"(.*)","stream":"stdout","time":"[^"]*"\}\n$/.exec(text) ?? [];
  assert.equal(
    log,
    String.raw`\"q\" \\ \t\r\u0001\u001f` +
      "\u007f" +
      String.raw`\u003ca href='x'\u003e\u0026\u003c/a\u003e é € 😀 \u2028\u2029\n`,
  );
});

test("what is not UTF-8 becomes U+FFFD, byte by byte, as Go has it", async () => {
  const cases: readonly [readonly number[], string][] = [
    [[0xff], "\ufffd"],
    [[0xc0, 0x80], "\ufffd\ufffd"], // longer than needed
    [[0xed, 0xa0, 0x80], "\ufffd\ufffd\ufffd"], // a surrogate
    [[0xf4, 0x90, 0x80, 0x80], "\ufffd\ufffd\ufffd\ufffd"], // above U+10FFFF
    [[0xe2, 0x82], "\ufffd\ufffd"], // cut short
    [[0xf0, 0x9f, 0x98, 0x80], "😀"],
    [[0xed, 0x9f, 0xbf, 0xee, 0x80, 0x80, 0xf4, 0x8f, 0xbf, 0xbf], "\ud7ff\ue000\u{10ffff}"],
  ];
  const bytes = Buffer.concat(cases.map(([one]) => Buffer.from([...one, 0x0a])));
  const container = await logOf(bytes);
  const log = await readLog(join(container.state, "json.log"));
  assert.deepEqual(
    log.map((entry) => entry.log),
    cases.map(([, text]) => `${text}\n`),
  );
});

test("all bytes, in lines of all lengths around 16 KiB, come back", async () => {
  const lines = [0, 1, 16_382, 16_383, 16_384, 16_385, 40_000].map((length) => `${"x".repeat(length)}\n`);
  const container = await logOf(Buffer.from(`${lines.join("")}no newline at the end`));
  const log = await readLog(join(container.state, "json.log"));
  const sizes = log.map((entry) => entry.log.length);
  assert.deepEqual(sizes, [1, 2, 16_383, 16_384, 16_384, 1, 16_384, 2, 16_384, 16_384, 7_233, 21]);
  assert.equal(log.map((entry) => entry.log).join(""), `${lines.join("")}no newline at the end`);
});

test("a character is not torn apart, neither by reads nor by the split of a long line", async () => {
  const text = `x${"€".repeat(30_000)}\n`;
  const container = await logOf(Buffer.from(text));
  const log = await readLog(join(container.state, "json.log"));
  assert.ok(log.length > 5);
  assert.equal(log.map((entry) => entry.log).join(""), text);

  const slow = await rig.start({
    args: ["sh", "-c", String.raw`printf '\342'; sleep 0.05; printf '\202'; sleep 0.05; printf '\254\n'`],
  });
  await slow.control.wait("exited");
  await rig.expectGone(slow);
  assert.deepEqual(
    (await readLog(join(slow.state, "json.log"))).map((entry) => entry.log),
    ["€\n"],
  );
});

test("the log rotates before an entry that does not fit, and keeps as many files as it should", async () => {
  const lines = Array.from({ length: 3000 }, (_, index) => `line ${index}\n`);
  const container = await logOf(Buffer.from(lines.join("")), { "log-max-size": 20_000, "log-max-files": 4 });
  const names = readdirSync(container.state).filter((name) => name.startsWith("json.log"));
  assert.deepEqual(names.toSorted(), ["json.log", "json.log.1", "json.log.2", "json.log.3"]);
  const kept: string[] = [];
  for (const name of ["json.log.3", "json.log.2", "json.log.1", "json.log"]) {
    const path = join(container.state, name);
    assert.ok(statSync(path).size <= 20_000, name);
    if (name !== "json.log") assert.ok(statSync(path).size > 19_800, name);
    kept.push(...(await readLog(path)).map((entry) => entry.log));
  }
  assert.deepEqual(kept, lines.slice(-kept.length));
});

test("one file, and an entry larger than a file", async () => {
  const container = await logOf(Buffer.from(`${"x\n".repeat(100)}${"y".repeat(5000)}\nend\n`), {
    "log-max-size": 1000,
    "log-max-files": 1,
  });
  const names = readdirSync(container.state).filter((name) => name.startsWith("json.log"));
  assert.deepEqual(names, ["json.log"]);
  const log = await readLog(join(container.state, "json.log"));
  assert.deepEqual(
    log.map((entry) => entry.log),
    ["end\n"],
  );
});

test("a container that writes at full speed with nobody reading stays within its files", async () => {
  const container = await rig.run({
    args: ["yes", "a line that is repeated without end"],
    fields: { "log-max-size": 1_000_000, "log-max-files": 3 },
  });
  const path = (suffix: string) => join(container.state, `json.log${suffix}`);
  await eventually(() => statSync(path(".2")).size > 0);
  const inode = statSync(path(".2")).ino;
  await eventually(() => statSync(path(".2")).ino !== inode);
  await container.control.command("kill", { signal: 9 });
  await container.control.wait("exited");
  await rig.expectGone(container);
  const names = readdirSync(container.state).filter((name) => name.startsWith("json.log"));
  assert.deepEqual(names.toSorted(), ["json.log", "json.log.1", "json.log.2"]);
  for (const name of names) {
    assert.ok(statSync(join(container.state, name)).size <= 1_000_000);
    for (const entry of await readLog(join(container.state, name))) {
      assert.ok(entry.log === "a line that is repeated without end\n" || name === "json.log", entry.log);
    }
  }
});

test("log-reopen goes on in the file that has the name now", async () => {
  const container = await rig.run({
    args: ["sh", "-c", "echo one; read line; echo two"],
    fields: { stdin: true, "stdin-once": true },
  });
  const path = join(container.state, "json.log");
  await eventually(async () => (await readLog(path)).length === 1);
  await rename(path, `${path}.moved`);
  assert.equal((await container.control.command("log-reopen")).kind, "done");
  const monitor = await rig.monitorOf(container);
  assert.equal(monitor?.["state"], "running");
  using client = await openStream(container, "attach", { stdin: true, format: "raw" });
  client.socket.write("\n");
  await container.control.wait("exited");
  await rig.expectGone(container);
  assert.deepEqual(
    (await readLog(path)).map((entry) => entry.log),
    ["two\n"],
  );
});

test("a log that cannot be written costs entries, not the container", async () => {
  rig.expectComplaint(/cannot open the log: Not a directory/);
  await writeFile(join(rig.dir, "no-folder"), "");
  const container = await rig.start({
    args: ["sh", "-c", "seq 1 1000; exit 6"],
    fields: { log: join(rig.dir, "no-folder/json.log") },
  });
  assert.equal((await container.control.wait("exited"))["code"], "6");
  await rig.expectGone(container);
});

test("a full disk leaves whole entries", async () => {
  rig.expectComplaint(/cannot write the log: No space left on device|cannot truncate the log/);
  const folder = join(rig.dir, "full");
  await mkdir(folder);
  const container = await rig.start({
    args: ["sh", "-c", "seq 1 100000; exit 6"],
    fields: { log: "/dev/full" },
  });
  assert.equal((await container.control.wait("exited"))["code"], "6");
  await rig.expectGone(container);
});
