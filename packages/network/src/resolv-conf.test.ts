import assert from "node:assert/strict";
import { test } from "node:test";
import { resolvConfFor } from "./resolv-conf.ts";

test("a file that works in a container too stays as it is", () => {
  const text = "# by hand\nsearch example.org\noptions ndots:2\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n";
  assert.equal(resolvConfFor(text), text);
});

test("name servers that a container cannot reach are left out", () => {
  const text =
    "nameserver 127.0.0.1\nnameserver\t10.0.0.2\r\nnameserver ::1\nnameserver fe80::1%eth0\n nameserver 127.1.2.3\nnameserver\n";
  assert.equal(resolvConfFor(text), "nameserver 10.0.0.2\n");
});

test("without any that can be reached, public ones", () => {
  const expected = "nameserver 8.8.8.8\nnameserver 8.8.4.4\n";
  assert.equal(resolvConfFor(""), expected);
  assert.equal(resolvConfFor("search lan\nnameserver 127.0.0.1\n"), `search lan\n${expected}`);
});

test("systemd's stub stands for what is behind it", () => {
  const stub = "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n";
  const systemdText = "nameserver 10.0.0.2\nsearch lan\n";
  assert.equal(resolvConfFor(stub, { systemdText }), "search lan\nnameserver 10.0.0.2\n");
  assert.equal(resolvConfFor(`${stub}nameserver 10.9.9.9\n`, { systemdText }).includes("10.9.9.9"), true);
  assert.equal(resolvConfFor("nameserver 10.9.9.9\n", { systemdText }), "nameserver 10.9.9.9\n");
});

test("what was asked for replaces what the host has", () => {
  const host = "domain lan\nsearch lan\noptions ndots:2\nnameserver 10.0.0.2\n";
  const asked = {
    nameservers: ["127.0.0.1", "2001:db8::1"],
    search: ["a.org", "b.org"],
    options: ["use-vc"],
  };
  assert.equal(
    resolvConfFor(host, asked),
    "nameserver 127.0.0.1\nnameserver 2001:db8::1\nsearch a.org b.org\noptions use-vc\n",
  );
  assert.equal(
    resolvConfFor(host, { search: ["."], nameservers: [], options: [] }),
    "options ndots:2\nnameserver 10.0.0.2\n",
  );
});

test("on the host's own network everything can be reached", () => {
  const host = "nameserver 127.0.0.53\nnameserver ::1\n";
  assert.equal(resolvConfFor(host, { keepLoopback: true, systemdText: "nameserver 10.0.0.2\n" }), host);
});
