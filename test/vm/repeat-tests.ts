import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { runProgramOk } from "@hawser/base";
import { root } from "../../tools/tree.ts";
import { bootMachine, type MachineOptions } from "./machine.ts";
import { openRootImage } from "./root-image.ts";

/** The machine needs two minutes when it has a processor for itself; the first run of all makes its disk before. */
const imageDeadlineMs = 240_000;
const machineDeadlineMs = 600_000;

export const skipMachine =
  process.arch === "x64" ? false : "the machine runs this tree's native programs, and is an x86-64";

/** Run the tests in a machine, and each of them as one of `t`'s. */
export async function repeatTests(t: TestContext, options: Pick<MachineOptions, "disks">): Promise<void> {
  await buildPrograms();
  const image = await openRootImage(join(root, "build/vm"), { signal: AbortSignal.timeout(imageDeadlineMs) });
  // Node was seen to die in software emulation while it loads, before any test.
  const isOnceMore = await runMachine(t, image, options).then(
    () => false,
    (error: unknown) => {
      const diedEarly = error instanceof MachineDied && error.count === 0;
      if (!diedEarly) throw error;
      t.diagnostic(`booted once more: ${error.message}`);
      return true;
    },
  );
  if (isOnceMore) await runMachine(t, image, options);
}

/** The machine has ended before its tests. */
class MachineDied extends Error {
  readonly count: number;

  /** @param count tests that it had told of */
  constructor(cause: unknown, count: number) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.count = count;
  }
}

async function runMachine(
  t: TestContext,
  image: Awaited<ReturnType<typeof openRootImage>>,
  options: Pick<MachineOptions, "disks">,
): Promise<void> {
  await using machine = await bootMachine({
    image,
    ...options,
    signal: AbortSignal.timeout(machineDeadlineMs),
  });
  let count = 0;
  try {
    for await (const line of machine.report()) {
      if (line.kind === "end") continue;
      count += 1;
      const said = await machine.readConsole();
      await t.test(line.name, (check) => {
        check.diagnostic(`${line.durationMs} ms in the machine`);
        if (line.error !== undefined)
          throw failureOf(said === "" ? line.error : `${line.error}\nThe console:\n${said}`);
      });
    }
  } catch (error) {
    throw new MachineDied(error, count);
  }
  assert.ok(count > 0, "the machine ran no test");
}

/** What goes into the machine is built from the sources as they are; `tools/setup.sh` has made the rest. */
async function buildPrograms(): Promise<void> {
  const options = { cwd: root, signal: AbortSignal.timeout(60_000) };
  await runProgramOk(["make", "--silent", "-C", "native"], options);
  if (process.env["HAWSER_TEST_BUNDLES"] === "1") return; // which has just been done
  await runProgramOk([process.execPath, "tools/build.ts"], options);
}

/** What the machine said of a failure, without this process' own stack. */
function failureOf(text: string): Error {
  const failure = new Error(text);
  failure.stack = text;
  return failure;
}
