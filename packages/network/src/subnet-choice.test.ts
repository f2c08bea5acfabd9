import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@hawser/base";
import { formatIp, formatPrefix, parseIp, requirePrefix } from "./ip-address.ts";
import {
  checkSubnet,
  choosePrefix,
  chooseUniqueLocalPrefix,
  parseSubnet,
  type Surroundings,
} from "./subnet-choice.ts";

test("the first subnet that overlaps with no route is chosen", () => {
  const chosen = (...routes: string[]) => formatPrefix(choosePrefix({ routes: routes.map(requirePrefix) }));
  assert.equal(chosen(), "172.30.0.0/16");
  assert.equal(chosen("172.30.7.0/24"), "172.29.0.0/16");
  assert.equal(chosen("172.16.0.0/12"), "192.168.240.0/20");
  assert.equal(chosen("172.16.0.0/12", "192.168.255.1/32"), "192.168.224.0/20");
  assert.equal(chosen("172.16.0.0/12", "192.168.0.0/16"), "10.254.0.0/16");
  assert.equal(chosen("fd00::/8"), "172.30.0.0/16");
  assert.throws(
    () => chosen("172.16.0.0/12", "192.168.0.0/16", "10.0.0.0/8"),
    (error) => Fault.is(error, "resource-exhausted"),
  );
});

test("a preferred subnet, and those of pools, come first", () => {
  const chosen = (around: Omit<Surroundings, "routes">, ...routes: string[]) =>
    formatPrefix(choosePrefix({ ...around, routes: routes.map(requirePrefix) }));
  const preferred = "172.17.0.0/16";
  assert.equal(chosen({ preferred }), preferred);
  assert.equal(chosen({ preferred }, "172.17.3.0/24"), "172.30.0.0/16");
  const pools = [
    { base: "10.7.0.0/23", size: 24 },
    { base: "fd00::/8", size: 64 },
    { base: "10.9.0.0/16", size: 26 },
  ];
  assert.equal(chosen({ preferred, pools }), "10.7.0.0/24");
  assert.equal(chosen({ pools }, "10.7.0.0/24"), "10.7.1.0/24");
  assert.equal(chosen({ pools }, "10.7.0.0/23"), "10.9.0.0/26");
  assert.throws(
    () => chosen({ pools }, "10.0.0.0/8"),
    (error) => Fault.is(error, "resource-exhausted"),
  );
});

test("other networks and resolvers are kept clear of", () => {
  const address = parseIp("172.29.0.53");
  assert.ok(address);
  const chosen = choosePrefix({
    routes: [],
    networks: [requirePrefix("172.30.0.0/16")],
    addresses: [address],
  });
  assert.equal(formatPrefix(chosen), "172.28.0.0/16");
});

test("a wanted subnet may lie inside a wider route, not around or on one", () => {
  const { prefix } = parseSubnet("10.5.0.1/16");
  checkSubnet(prefix, { routes: ["10.0.0.0/8", "10.6.0.0/16"].map(requirePrefix) });
  for (const taken of ["10.5.0.0/16", "10.5.3.0/24", "10.5.0.9/32"]) {
    assert.throws(
      () => checkSubnet(prefix, { routes: [requirePrefix(taken)] }),
      (error) => Fault.is(error, "conflict"),
      taken,
    );
  }
});

test("a subnet is read from its gateway", () => {
  const { prefix, gateway } = parseSubnet("172.30.5.9/20");
  assert.deepEqual([formatPrefix(prefix), formatIp(gateway)], ["172.30.0.0/20", "172.30.5.9"]);
});

test("what is no gateway with a prefix length is refused", () => {
  const wrong = [
    "172.30.0.0/16",
    "172.30.255.255/16",
    "172.30.0.1",
    "172.30.0.1/31",
    "172.30.0.1/7",
    "x/16",
    "::1/64",
    "1.2.3.4/16 ",
  ];
  for (const text of wrong) {
    assert.throws(
      () => parseSubnet(text),
      (error) => Fault.is(error, "invalid-argument"),
      text,
    );
  }
});

test("a subnet of nobody's IPv6 addresses has its own global id", () => {
  assert.equal(
    formatPrefix(chooseUniqueLocalPrefix(Buffer.from("0123456789", "hex"))),
    "fd01:2345:6789::/64",
  );
});
