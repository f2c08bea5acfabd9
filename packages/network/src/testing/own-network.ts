import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { runProgram, runProgramOk } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import { change, hostLinks } from "../netlink/host-network.ts";
import { setLink } from "../netlink/link.ts";

const marker = "HAWSER_TEST_OWN_NETWORK";

/**
 * Run the tests that `define` defines in a process of their own, which has a network namespace of its own: bridges, rules
 * and forwarding of the machine are not touched. `file` is the test file that calls this.
 */
export function inOwnNetwork(file: string, define: () => void): void {
  if (process.env[marker] !== undefined) {
    define();
    return;
  }
  test("in a network namespace of its own", async () => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const argv = [
      "unshare",
      "--net",
      process.execPath,
      "--test-reporter=spec",
      "--test-timeout=30000",
      file,
    ] as const;
    const result = await runProgram([...argv], { env: { ...env, [marker]: "1" } });
    assert.equal(result.exitCode, 0, result.stdout + result.stderr);
    assert.match(result.stdout, /pass [1-9]/);
  });
}

/** What the machine has before a test and must have after it; `lo` is up in between. */
export async function openCleanNetwork(): Promise<AsyncDisposable> {
  await change("bring lo up", [setLink({ name: "lo", up: true })]);
  const before = await pictureOf();
  return {
    async [Symbol.asyncDispose]() {
      // The kernel takes a namespace apart a while after its last descriptor is closed.
      await eventually(
        async () => {
          assert.deepEqual(await pictureOf(), before);
          return true;
        },
        { what: "the network is as before" },
      );
    },
  };
}

async function pictureOf(): Promise<unknown> {
  const { stdout: tables } = await runProgramOk(["/usr/sbin/nft", "list", "tables"]);
  return { links: hostLinks().map(({ name }) => name), tables, namespaces: heldNamespaces() };
}

/** Of namespaces other than this process' own, which the addon's threads hold to come back to. */
function heldNamespaces(): number {
  const own = readlinkSync("/proc/self/ns/net");
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith("net:") && target !== own;
    } catch {
      return false; // the descriptor of the listing itself
    }
  }).length;
}
