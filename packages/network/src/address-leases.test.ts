import assert from "node:assert/strict";
import { test } from "node:test";
import { AddressLeases, type LeasedSubnet } from "./address-leases.ts";
import { parseCidr, parseIp } from "./ip-address.ts";

function subnetOf(text: string, gatewayText: string): LeasedSubnet {
  const [prefix, gateway] = [parseCidr(text)?.prefix, parseIp(gatewayText)];
  assert.ok(prefix && gateway);
  return { prefix, gateway };
}

test("of several subnets of a family the first one that has an address gives it, with its own gateway", () => {
  const subnets = [
    subnetOf("10.1.0.0/30", "10.1.0.1"),
    subnetOf("10.2.0.0/24", "10.2.0.9"),
    subnetOf("fd00::/64", "fd00::1"),
  ];
  const leases = new AddressLeases(subnets, ["10.2.0.1"]);
  const first = leases.lease();
  assert.deepEqual(first.ipv4, { address: "10.1.0.2", prefixLength: 30, gateway: "10.1.0.1" });
  assert.equal(first.ipv6?.address, "fd00::2");
  assert.deepEqual(leases.lease().ipv4, { address: "10.2.0.2", prefixLength: 24, gateway: "10.2.0.9" });
  assert.equal(leases.lease({ ipv4: "10.2.0.200" }).ipv4?.gateway, "10.2.0.9");
  assert.throws(() => leases.lease({ ipv4: "10.2.0.1" }), { kind: "conflict" });
  assert.throws(() => leases.lease({ ipv4: "10.3.0.1" }), { kind: "invalid-argument" });
  leases.release(first);
  assert.equal(leases.lease().ipv4?.address, "10.1.0.2");
});

test("an address that cannot be had leaves that of the other family free", () => {
  const leases = new AddressLeases(
    [subnetOf("10.1.0.0/30", "10.1.0.1"), subnetOf("fd00::/64", "fd00::1")],
    [],
  );
  assert.throws(() => leases.lease({ ipv6: "fd01::5" }), { kind: "invalid-argument" });
  assert.equal(leases.lease().ipv4?.address, "10.1.0.2");
  assert.throws(() => leases.lease(), { kind: "resource-exhausted" });
});
