import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@hawser/base";
import { hostsFile } from "./hosts-file.ts";

const fixed =
  "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\n" +
  "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

test("is the fixed part, extra hosts, the container itself", () => {
  assert.equal(hostsFile({ hostname: "web" }), fixed);
  assert.equal(hostsFile({ hostname: "web", addresses: ["172.30.0.2"] }), `${fixed}172.30.0.2\tweb\n`);
  const full = {
    hostname: "web",
    domainname: "example.org",
    addresses: ["172.30.0.2"],
    gateway: "172.30.0.1",
    extraHosts: ["db:10.0.0.9", "six:2001:db8::1", "host.docker.internal:host-gateway"],
  };
  assert.equal(
    hostsFile(full),
    `${fixed}10.0.0.9\tdb\n2001:db8::1\tsix\n172.30.0.1\thost.docker.internal\n172.30.0.2\tweb.example.org web\n`,
  );
});

test("has the container's full name and the first part of it, wherever the dot came from", () => {
  for (const [hostname, domainname, names] of [
    ["web", "example.org", "web.example.org web"],
    ["web.example.org", "", "web.example.org web"],
    ["web.example", "org", "web.example.org web"],
    ["web", "", "web"],
  ] as const) {
    const text = hostsFile({ hostname, domainname, addresses: ["172.30.0.2"] });
    assert.equal(text, `${fixed}172.30.0.2\t${names}\n`);
  }
});

test("an extra host that is not one, or would add lines, is refused", () => {
  for (const entry of [
    "db",
    "db:",
    ":1.2.3.4",
    "db:1.2.3",
    "a b:1.2.3.4",
    "db:1.2.3.4\n6.6.6.6 bank",
    "x\n6.6.6.6 bank:1.2.3.4",
  ]) {
    assert.throws(
      () => hostsFile({ hostname: "web", extraHosts: [entry] }),
      (error) => Fault.is(error, "invalid-argument"),
      entry,
    );
  }
  assert.throws(
    () => hostsFile({ hostname: "web", extraHosts: ["h:host-gateway"] }),
    (error) => Fault.is(error, "invalid-argument"),
  );
});
