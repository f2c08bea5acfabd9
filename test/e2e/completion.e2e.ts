import assert from "node:assert/strict";
import { mkdir, readdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { root } from "../../tools/tree.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { runCommandOk } from "./kit-process.ts";

/** Real shells with our scripts: what they would offer for a line that ends at the cursor. */

let engine: TestEngine;
let bin = "";
const resources = new AsyncDisposableStack();
before(async () => {
  engine = resources.use(await openEngine());
  bin = join(dirname(engine.socket), "bin");
  await mkdir(bin);
  await symlink(join(root, "hawser"), join(bin, "hawser"));
  for (const args of [
    ["network", "create", "mine"],
    ["volume", "create", "data"],
    ["run", "--name", "web", "busybox", "true"],
  ]) {
    await runCommandOk([join(root, "hawser"), ...args], { env: environment() });
  }
});
after(() => resources.disposeAsync());

const environment = () => ({
  ...process.env,
  PATH: `${bin}:${process.env["PATH"] ?? ""}`,
  DOCKER_HOST: engine.host,
  DOCKER_CONFIG: bin,
  HOME: bin,
  HAWSER_RESIDENT: "0",
});

/** As bash cuts a line, at spaces, `:` and `=`. */
async function bash(line: string): Promise<readonly string[]> {
  const words = line.split(/(\s+|[:=]+)/).filter((word) => word !== "" && !/^\s+$/.test(word));
  if (/\s$/.test(line)) words.push("");
  const script = `source <(hawser completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hawser
    ((\${#COMPREPLY[@]} == 0)) || printf '%s\\n' "\${COMPREPLY[@]}"`;
  const text = await runCommandOk(["bash", "--norc", "-c", script, "bash", ...words], {
    env: { ...environment(), COMP_LINE: line },
  });
  return text.split("\n").filter((word) => word !== "");
}

test("bash offers commands, names of the engine's, and what follows a = or a :", async () => {
  assert.ok((await bash("hawser netw")).includes("network"));
  assert.deepEqual(await bash("hawser rm "), ["web"]);
  assert.ok((await bash("hawser run --network ")).includes("mine"));
  assert.deepEqual(await bash("hawser run --network=mi"), ["mine"]);
  assert.deepEqual(await bash("hawser volume rm da"), ["data"]);
  assert.deepEqual(await bash("hawser run --rm busybox:la"), ["latest"]);
  assert.deepEqual(await bash("hawser run --rm busyb"), ["busybox:latest"]);
  assert.deepEqual(await bash("hawser load -i "), []);
});

test("bash evaluates nothing of what was typed", async () => {
  await bash(`hawser rm $(touch ${bin}/ran) `);
  await bash("hawser rm `touch ran` ");
  assert.deepEqual(
    (await readdir(bin)).filter((name) => name.includes("ran")),
    [],
  );
});
