import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, type FaultKind } from "@hawser/base";
import { AddressPool } from "./address-pool.ts";
import { formatIpv4, parseIpv4, parseSubnet } from "./ipv4.ts";

function poolOf(subnet: string, reserved: readonly string[] = []) {
  const pool = new AddressPool(parseSubnet(subnet), reserved.map(numberOf));
  return {
    take: () => formatIpv4(pool.take()),
    takeThis: (address: string) => formatIpv4(pool.takeThis(address)),
    release: (address: string) => pool.release(numberOf(address)),
  };
}

function numberOf(address: string): number {
  const number = parseIpv4(address);
  assert.ok(number !== undefined);
  return number;
}

const kind = (wanted: FaultKind) => (error: unknown) => Fault.is(error, wanted);

test("gives each address of the subnet once, without network, gateway, broadcast and reserved ones", () => {
  const pool = poolOf("10.0.0.2/29", ["10.0.0.4", "10.9.9.9"]);
  assert.deepEqual(
    [pool.take(), pool.take(), pool.take(), pool.take()],
    ["10.0.0.1", "10.0.0.3", "10.0.0.5", "10.0.0.6"],
  );
  assert.throws(() => pool.take(), kind("resource-exhausted"));
  pool.release("10.0.0.4");
  assert.equal(pool.take(), "10.0.0.4");
});

test("an address that was released longest ago is given first, after all fresh ones", () => {
  const pool = poolOf("10.0.0.1/29");
  const [first, second, third] = [pool.take(), pool.take(), pool.take()];
  pool.release(second);
  pool.release(first);
  assert.deepEqual([pool.take(), pool.take()], ["10.0.0.5", "10.0.0.6"]);
  pool.release(third);
  assert.deepEqual([pool.take(), pool.take(), pool.take()], [second, first, third]);
});

test("a release twice does not give an address twice", () => {
  const pool = poolOf("10.0.0.1/30");
  const only = pool.take();
  pool.release(only);
  pool.release(only);
  pool.release("10.0.0.1");
  assert.equal(pool.take(), only);
  assert.throws(() => pool.take(), kind("resource-exhausted"));
});

test("a wanted address is given unless it is in use or none for a container", () => {
  const pool = poolOf("10.0.0.1/29");
  assert.equal(pool.takeThis("10.0.0.3"), "10.0.0.3");
  assert.throws(() => pool.takeThis("10.0.0.3"), kind("conflict"));
  for (const address of ["10.0.0.0", "10.0.0.1", "10.0.0.7", "10.0.0.8", "::1", "", "10.0.0.03"]) {
    assert.throws(() => pool.takeThis(address), kind("invalid-argument"), address);
  }
  assert.deepEqual([pool.take(), pool.take()], ["10.0.0.2", "10.0.0.4"]);
  pool.release("10.0.0.3");
  assert.equal(pool.takeThis("10.0.0.3"), "10.0.0.3");
});
