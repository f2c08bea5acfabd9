import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bytesOfIp,
  contains,
  formatIp,
  formatPrefix,
  ipOfBytes,
  macOfIp,
  parseCidr,
  parseIp,
  prefixesOverlap,
  requirePrefix,
} from "./ip-address.ts";

function address(text: string) {
  const parsed = parseIp(text);
  assert.ok(parsed, text);
  return parsed;
}

test("an address is a number and back, in its canonical form", () => {
  const canonical: readonly (readonly [string, string])[] = [
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["::", "::"],
    ["::1", "::1"],
    ["fd00::", "fd00::"],
    ["FD00:0:0:1::2", "fd00:0:0:1::2"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
    ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
  ];
  for (const [text, wanted] of canonical) {
    assert.equal(formatIp(address(text)), wanted, text);
    assert.deepEqual(ipOfBytes(bytesOfIp(address(text))), address(text));
  }
  for (const text of ["", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "fe80::1%eth0", "::g", "1::2::3"])
    assert.equal(parseIp(text), undefined, text);
});

test("a prefix is named by any address of it", () => {
  assert.equal(formatPrefix(requirePrefix("10.1.2.3/16")), "10.1.0.0/16");
  assert.equal(formatPrefix(requirePrefix("fd00:1:2:3::9/64")), "fd00:1:2:3::/64");
  for (const text of ["10.0.0.0", "10.0.0.0/33", "::/129", "/8", "x/8", "10.0.0.0/-1", "10.0.0.0/8/8"])
    assert.equal(parseCidr(text), undefined, text);
});

test("families do not meet", () => {
  assert.ok(prefixesOverlap(requirePrefix("10.0.0.0/8"), requirePrefix("10.9.0.0/16")));
  assert.ok(!prefixesOverlap(requirePrefix("0.0.0.0/0"), requirePrefix("::/0")));
  assert.ok(!contains(requirePrefix("::/0"), address("10.0.0.1")));
  assert.ok(contains(requirePrefix("10.0.0.0/31"), address("10.0.0.1")));
});

test("a MAC address tells the IP address, as Docker's do", () => {
  assert.equal(macOfIp(address("172.17.0.2")), "02:42:ac:11:00:02");
  assert.equal(macOfIp(address("192.168.255.254")), "02:42:c0:a8:ff:fe");
  assert.equal(macOfIp(address("fd00::1:2")), "02:42:00:01:00:02");
});
