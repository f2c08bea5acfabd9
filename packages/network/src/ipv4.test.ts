import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@hawser/base";
import { formatIpv4, formatSubnet, macAddressOf, parseIpv4, parseSubnet } from "./ipv4.ts";

test("an address is a number and back", () => {
  for (const text of ["0.0.0.0", "172.30.0.1", "255.255.255.255"])
    assert.equal(formatIpv4(parseIpv4(text) ?? -1), text);
  for (const text of ["", "1.2.3", "1.2.3.256", "01.2.3.4", "::1", "1.2.3.4 "])
    assert.equal(parseIpv4(text), undefined);
});

test("a subnet is read from its gateway", () => {
  const subnet = parseSubnet("172.30.5.9/20");
  assert.equal(formatSubnet(subnet), "172.30.0.0/20");
  assert.equal(formatIpv4(subnet.gateway), "172.30.5.9");
  assert.equal(formatIpv4(subnet.broadcast), "172.30.15.255");
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

test("a MAC address tells the IP address, as Docker's do", () => {
  assert.equal(macAddressOf(parseIpv4("172.17.0.2") ?? -1), "02:42:ac:11:00:02");
  assert.equal(macAddressOf(parseIpv4("192.168.255.254") ?? -1), "02:42:c0:a8:ff:fe");
});
