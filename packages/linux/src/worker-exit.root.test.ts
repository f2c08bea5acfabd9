import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { eventually } from "@hawser/base/testing";

// The main thread must not have loaded the addon: what is loaded by a worker alone is unloaded with it.
test("a worker that ends while namespaces are being made takes nobody with it and leaves none of them", async () => {
  const code = `import(${JSON.stringify(new URL("./index.ts", import.meta.url).href)}).then(({ openNetworkNamespace }) => {
    for (let i = 0; i < 8; i++) void openNetworkNamespace();
    process.exit(0);
  })`;
  for (let round = 0; round < 5; round++) {
    const worker = new Worker(code, { eval: true });
    const [exitCode] = await once(worker, "exit");
    assert.equal(exitCode, 0);
  }
  await eventually(() => heldNamespaces() === 0 && strayThreads().length === 0);
});

/** Descriptors of other namespaces than this process' own, which the addon's threads hold to come back to. */
function heldNamespaces(): number {
  const own = readlinkSync("/proc/self/ns/net");
  const links = readdirSync("/proc/self/fd").map((fd) => linkTo(`/proc/self/fd/${fd}`));
  return links.filter((link) => link.startsWith("net:") && link !== own).length;
}

/** Threads in another namespace than this process. own. */
function strayThreads(): string[] {
  const own = readlinkSync("/proc/self/ns/net");
  return readdirSync("/proc/self/task").filter(
    (task) => ![own, ""].includes(linkTo(`/proc/self/task/${task}/ns/net`)),
  );
}

/** Empty when it has gone meanwhile. */
function linkTo(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
