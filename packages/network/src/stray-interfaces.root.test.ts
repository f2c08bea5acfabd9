import assert from "node:assert/strict";
import { closeSync } from "node:fs";
import { test } from "node:test";
import { openNetworkNamespace } from "@hawser/linux";
import { change, findLink, linksIn } from "./netlink/host-network.ts";
import { createBridge, createChildLink, deleteLink } from "./netlink/link.ts";
import { removeStrayInterfaces } from "./stray-interfaces.ts";
import { inOwnNetwork, openCleanNetwork } from "./testing/own-network.ts";

inOwnNetwork(import.meta.filename, () => {
  test("a macvlan of the host is taken from a container, one of its own is not", async () => {
    await using _clean = await openCleanNetwork();
    const namespaceFd = await openNetworkNamespace();
    using closing = new DisposableStack();
    closing.defer(() => closeSync(namespaceFd));
    const names = async () => (await linksIn(namespaceFd)).map(({ name }) => name).toSorted();
    const child = (name: string, parentIndex = 0) =>
      createChildLink({ kind: "macvlan", name, parentIndex, namespaceFd, mode: 4 });
    await change("make a parent", [createBridge({ name: "hwt0" })]);
    try {
      await change("make a child", [child("eth1", findLink("hwt0")?.index)]);
      await change("make a parent inside", [createBridge({ name: "own0" })], { namespaceFd });
      const own = (await linksIn(namespaceFd)).find(({ name }) => name === "own0");
      await change("make a child inside", [child("own1", own?.index)], { namespaceFd });

      const before = await names();
      assert.ok(before.includes("eth1") && before.includes("own1"));
      await removeStrayInterfaces(namespaceFd, ["eth1"]);
      assert.deepEqual(await names(), before);
      await removeStrayInterfaces(namespaceFd, []);
      assert.deepEqual(
        await names(),
        before.filter((name) => name !== "eth1"),
      );
    } finally {
      await change("remove the parent", [deleteLink("hwt0")]);
    }
  });
});
