import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@hawser/base";
import { changeBindings, isRemoved } from "./change-bindings.ts";

const binding = (hostPort: string, hostIp = "") => ({ hostIp, hostPort });
const current = { "80/tcp": [binding("8080"), binding("8081", "127.0.0.1")], "53/udp": [binding("")] };

test("ports are added beside others, and removed one by one or all of a container's port", () => {
  const change = (add: typeof current | object, remove: object) =>
    changeBindings(current, { add: { ...add }, remove: { ...remove } });
  assert.deepEqual(change({ "80/tcp": [binding("9")] }, {})["80/tcp"]?.length, 3);
  assert.deepEqual(change({}, { "80/tcp": [binding("8080")] }), {
    "80/tcp": [binding("8081", "127.0.0.1")],
    "53/udp": [binding("")],
  });
  assert.deepEqual(change({}, { "80": [binding("")] }), { "53/udp": [binding("")] });
  assert.deepEqual(change({ "53/udp": [binding("53")] }, { "53/udp": [binding("")] })["53/udp"], [
    binding("53"),
  ]);
  for (const remove of [
    { "81/tcp": [binding("")] },
    { "80/udp": [binding("")] },
    { "80/tcp": [binding("1")] },
  ]) {
    assert.throws(
      () => change({}, remove),
      (error) => Fault.is(error, "conflict"),
    );
  }
});

test("what is published goes at all addresses that were meant", () => {
  const published = { protocol: "tcp", containerPort: 80, hostIp: "0.0.0.0", hostPort: 8080 } as const;
  assert.ok(isRemoved(published, { "80/tcp": [binding("8080")] }));
  assert.ok(isRemoved(published, { "80": [binding("")] }));
  assert.ok(!isRemoved(published, { "80/tcp": [binding("8081")] }));
  assert.ok(!isRemoved(published, { "80/tcp": [binding("8080", "127.0.0.1")] }));
  assert.ok(!isRemoved(published, { "80/udp": [binding("")] }));
});
