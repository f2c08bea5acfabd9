import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { writeBundle } from "./bundle.ts";

/** A program that says its name, and once more when it is told to, from a part that it loads only then. */
const programs = {
  esm: `console.log("NAME"); process.stdin.once("data", async () => console.log((await import("./part-NAME.js")).name));`,
  cjs: `console.log("NAME"); process.stdin.once("data", () => console.log(require("./part-NAME.js").name));`,
} as const;
const parts = { esm: `export const name = "NAME";`, cjs: `exports.name = "NAME";` } as const;

function write(folder: string, format: "cjs" | "esm", name: string): void {
  const files = Object.entries({ "main.js": programs[format], [`part-${name}.js`]: parts[format] });
  writeBundle(folder, {
    format,
    entries: ["main"],
    files: new Map(files.map(([path, text]) => [path, Buffer.from(text.replaceAll("NAME", name))])),
  });
}

for (const format of ["esm", "cjs"] as const) {
  test(`a program that runs finds its parts when a newer one has taken its place (${format})`, async () => {
    await using dir = await openTempDir();
    const start = async (name: string) => {
      const program = spawn(process.execPath, [join(dir.path, "main.js")], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      const lines = createInterface(program.stdout)[Symbol.asyncIterator]();
      assert.equal((await lines.next()).value, name);
      return async () => {
        program.stdin.end("go\n");
        return (await lines.next()).value;
      };
    };
    write(dir.path, format, "one");
    const first = await start("one");
    write(dir.path, format, "two");
    const second = await start("two");
    assert.equal(await first(), "one");
    assert.equal(await second(), "two");
  });
}

test("the two bundles before stay, and of what was there else nothing", async () => {
  await using dir = await openTempDir();
  await writeFile(join(dir.path, "chunk.js"), "");
  const sizes: number[] = [];
  for (const name of ["one", "two", "three", "four", "five"]) {
    write(dir.path, "esm", name);
    sizes.push((await readdir(dir.path)).length);
  }
  assert.equal(Math.max(...sizes), 5); // main.js, package.json, three bundles
  assert.ok(!(await readdir(dir.path)).includes("chunk.js"));
});

test("the same bundle once more changes nothing", async () => {
  await using dir = await openTempDir();
  const entry = () => stat(join(dir.path, "main.js"));
  write(dir.path, "cjs", "one");
  const before = await entry();
  write(dir.path, "cjs", "one");
  const after = await entry();
  assert.deepEqual([after.ino, after.mtimeMs], [before.ino, before.mtimeMs]);
});
