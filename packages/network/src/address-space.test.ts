import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, type FaultKind } from "@hawser/base";
import { AddressSpace } from "./address-space.ts";
import { formatIp, type IpAddress, parseIp, requirePrefix } from "./ip-address.ts";

function spaceOf(
  subnet: string,
  options: { readonly reserved?: readonly string[]; readonly range?: string } = {},
) {
  const { reserved = [], range } = options;
  const space = new AddressSpace(requirePrefix(subnet), {
    reserved: reserved.map(addressOf),
    ...(range !== undefined && { range: requirePrefix(range) }),
  });
  return {
    take: () => formatIp(space.take()),
    takeThis: (address: string) => formatIp(space.takeThis(address)),
    release: (address: string) => space.release(addressOf(address)),
  };
}

function addressOf(text: string): IpAddress {
  const address = parseIp(text);
  assert.ok(address !== undefined);
  return address;
}

const kind = (wanted: FaultKind) => (error: unknown) => Fault.is(error, wanted);

test("gives each address of the subnet once, without network, gateway, broadcast and reserved ones", () => {
  const space = spaceOf("10.0.0.0/29", { reserved: ["10.0.0.2", "10.0.0.4"] });
  assert.deepEqual(
    [space.take(), space.take(), space.take(), space.take()],
    ["10.0.0.1", "10.0.0.3", "10.0.0.5", "10.0.0.6"],
  );
  assert.throws(() => space.take(), kind("resource-exhausted"));
  space.release("10.0.0.4");
  assert.throws(() => space.take(), kind("resource-exhausted"), "reserved ones are nobody's to release");
});

test("an address that was released longest ago is given first, after all fresh ones", () => {
  const space = spaceOf("10.0.0.0/29", { reserved: ["10.0.0.1"] });
  const [first, second, third] = [space.take(), space.take(), space.take()];
  space.release(second);
  space.release(first);
  assert.deepEqual([space.take(), space.take()], ["10.0.0.5", "10.0.0.6"]);
  space.release(third);
  assert.deepEqual([space.take(), space.take(), space.take()], [second, first, third]);
});

test("a release twice does not give an address twice", () => {
  const space = spaceOf("10.0.0.0/30", { reserved: ["10.0.0.1"] });
  const only = space.take();
  space.release(only);
  space.release(only);
  space.release("10.0.0.1");
  assert.equal(space.take(), only);
  assert.throws(() => space.take(), kind("resource-exhausted"));
});

test("a wanted address is given unless it is in use or none for a container", () => {
  const space = spaceOf("10.0.0.0/29", { reserved: ["10.0.0.1"] });
  assert.equal(space.takeThis("10.0.0.3"), "10.0.0.3");
  for (const taken of ["10.0.0.3", "10.0.0.1"]) assert.throws(() => space.takeThis(taken), kind("conflict"));
  for (const address of ["10.0.0.0", "10.0.0.7", "10.0.0.8", "::1", "", "10.0.0.03"]) {
    assert.throws(() => space.takeThis(address), kind("invalid-argument"), address);
  }
  assert.deepEqual([space.take(), space.take()], ["10.0.0.2", "10.0.0.4"]);
  space.release("10.0.0.3");
  assert.equal(space.takeThis("10.0.0.3"), "10.0.0.3");
});

test("a range is where addresses are given from, the rest of the subnet is for who asks", () => {
  const space = spaceOf("10.0.0.0/24", { range: "10.0.0.8/30" });
  assert.deepEqual(
    [space.take(), space.take(), space.take(), space.take()],
    ["10.0.0.8", "10.0.0.9", "10.0.0.10", "10.0.0.11"],
  );
  assert.equal(space.takeThis("10.0.0.200"), "10.0.0.200");
  space.release("10.0.0.200");
  assert.throws(() => space.take(), kind("resource-exhausted"));
});

test("IPv6 has no broadcast address", () => {
  const space = spaceOf("fd00::/126", { reserved: ["fd00::1"] });
  assert.deepEqual([space.take(), space.take()], ["fd00::2", "fd00::3"]);
  assert.throws(() => space.takeThis("fd00::"), kind("invalid-argument"));
});
