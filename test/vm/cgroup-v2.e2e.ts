import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../tools/tree.ts";
import { bootMachine } from "./machine.ts";
import { openRootImage } from "./root-image.ts";

/** The machine needs about a minute; the first run of all makes its disk before. */
const imageDeadlineMs = 240_000;
const machineDeadlineMs = 230_000;

test("a host with pure cgroup v2, in a virtual machine", async (t) => {
  const image = await openRootImage(join(root, "build/vm"), { signal: AbortSignal.timeout(imageDeadlineMs) });
  await using machine = await bootMachine({
    image,
    files: ["test/vm/guest/cgroup-v2.ts"],
    signal: AbortSignal.timeout(machineDeadlineMs),
  });
  let count = 0;
  for await (const line of machine.report()) {
    if (line.kind === "end") continue;
    count += 1;
    await t.test(line.name, (check) => {
      check.diagnostic(`${line.durationMs} ms in the machine`);
      if (line.error !== undefined) throw failureOf(line.error);
    });
  }
  assert.ok(count > 0, "the machine ran no test");
});

/** What the machine said of a failure, without this process' own stack. */
function failureOf(text: string): Error {
  const failure = new Error(text);
  failure.stack = text;
  return failure;
}
