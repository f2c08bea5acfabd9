import assert from "node:assert/strict";
import { test } from "node:test";
import { ipamConfigFrom } from "./ipam-option.ts";

const given = (change: Partial<Parameters<typeof ipamConfigFrom>[0]>) =>
  ipamConfigFrom({ subnets: [], ranges: [], gateways: [], auxiliary: new Map(), ...change });

test("ranges, gateways and addresses find their subnets", () => {
  assert.deepEqual(
    given({
      subnets: ["10.1.0.0/16", "fd00:1::/64"],
      gateways: ["fd00:1::9", "10.1.0.9"],
      ranges: ["10.1.4.0/24"],
      auxiliary: new Map([["router", "10.1.0.5"]]),
    }),
    [
      {
        Subnet: "10.1.0.0/16",
        IPRange: "10.1.4.0/24",
        Gateway: "10.1.0.9",
        AuxiliaryAddresses: { router: "10.1.0.5" },
      },
      { Subnet: "fd00:1::/64", Gateway: "fd00:1::9" },
    ],
  );
  assert.deepEqual(given({}), []);
});

test("what is of no subnet, or the second of its kind, is refused", () => {
  const subnets = ["10.1.0.0/16", "10.2.0.0/16"];
  const cases: readonly (readonly [Parameters<typeof given>[0], RegExp])[] = [
    [{ gateways: ["10.1.0.1"] }, /every ip-range or gateway must have a corresponding subnet/],
    [{ subnets, gateways: ["10.3.0.1"] }, /no matching subnet for gateway 10\.3\.0\.1/],
    [{ subnets, gateways: ["10.1.0.1", "10.1.0.2"] }, /cannot configure multiple gateways/],
    [{ subnets, auxiliary: new Map([["x", "10.3.0.1"]]) }, /no matching subnet for aux-address/],
    [{ subnets: ["10.1.0.0"] }, /invalid CIDR address: 10\.1\.0\.0/],
    [{ subnets: ["10.1.0.0/33"] }, /invalid CIDR address/],
  ];
  for (const [change, words] of cases) assert.throws(() => given(change), words);
});
