import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openTestRegistry, type TestRegistry } from "../conformance/distribution/kit-registry.ts";
import { clients, runClient, textOf, useTarget } from "./kit-target.ts";

/** Our own registry, on loopback, which needs no TLS. */
const target = useTarget();
let registry: TestRegistry;
before(async () => {
  registry = await openTestRegistry();
});
after(() => registry[Symbol.asyncDispose]());

for (const client of clients) {
  describe(`our registry, by ${client.name}`, () => {
    test("what is pushed comes back the same, and runs", async () => {
      const ok = async (...args: string[]) => {
        const { exitCode, stdout, stderr } = await runClient(target, client, { args });
        assert.equal(exitCode, 0, `${args.join(" ")}\n${stdout}\n${stderr}`);
        return stdout;
      };
      const name = `${new URL(registry.url).host}/team/${client.name.replaceAll(/\W/g, "").toLowerCase()}:1`;
      await ok("tag", "busybox", name);
      const id = textOf((await target.inspect(name))["Id"]);
      assert.match(await ok("push", name), /digest: sha256:[0-9a-f]{64} size: \d+/);
      await ok("rmi", name);
      assert.match(await ok("pull", name), /Status: Downloaded newer image|Status: Image is up to date/);
      assert.equal(textOf((await target.inspect(name))["Id"]), id);
      assert.equal(await ok("run", "--rm", name, "echo", "hello"), "hello\n");
      await ok("rmi", name);
    });
  });
}
