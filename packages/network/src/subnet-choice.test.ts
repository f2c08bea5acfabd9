import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@hawser/base";
import { formatIpv4, formatSubnet, parseIpv4, parseSubnet } from "./ipv4.ts";
import { checkSubnet, chooseSubnet, type Occupied } from "./subnet-choice.ts";

function route(text: string): Occupied {
  const [address = "", length = ""] = text.split("/");
  return { destination: parseIpv4(address) ?? -1, prefixLength: Number(length) };
}

test("the first subnet that overlaps with no route is chosen", () => {
  const chosen = (...routes: string[]) => formatSubnet(chooseSubnet(routes.map(route)));
  assert.equal(chosen(), "172.30.0.0/16");
  assert.equal(chosen("172.30.7.0/24"), "172.29.0.0/16");
  assert.equal(chosen("172.16.0.0/12"), "192.168.240.0/20");
  assert.equal(chosen("172.16.0.0/12", "192.168.255.1/32"), "192.168.224.0/20");
  assert.equal(chosen("172.16.0.0/12", "192.168.0.0/16"), "10.254.0.0/16");
  assert.equal(formatIpv4(chooseSubnet([]).gateway), "172.30.0.1");
  assert.throws(
    () => chosen("172.16.0.0/12", "192.168.0.0/16", "10.0.0.0/8"),
    (error) => Fault.is(error, "resource-exhausted"),
  );
});

test("a wanted subnet may lie inside a wider route, not around or on one", () => {
  const subnet = parseSubnet("10.5.0.1/16");
  checkSubnet(subnet, [route("10.0.0.0/8"), route("10.6.0.0/16")]);
  for (const taken of ["10.5.0.0/16", "10.5.3.0/24", "10.5.0.9/32"]) {
    assert.throws(
      () => checkSubnet(subnet, [route(taken)]),
      (error) => Fault.is(error, "conflict"),
      taken,
    );
  }
});
