import assert from "node:assert/strict";
import { test } from "node:test";
import { linkEnvironment } from "./link-environment.ts";

test("a link tells of ports, ranges of them, the name and the environment", () => {
  const told = linkEnvironment({
    owner: "client",
    alias: "my-db",
    address: "172.17.0.2",
    ports: [
      { port: 53, protocol: "udp" },
      { port: 81, protocol: "tcp" },
      { port: 80, protocol: "tcp" },
    ],
    environment: ["PATH=/bin", "HOME=/", "PASS=a=b", "=odd"],
  });
  assert.deepEqual(told, [
    "MY_DB_PORT=tcp://172.17.0.2:80",
    "MY_DB_PORT_80_TCP_START=tcp://172.17.0.2:80",
    "MY_DB_PORT_80_TCP_PORT_START=80",
    "MY_DB_PORT_80_TCP_END=tcp://172.17.0.2:81",
    "MY_DB_PORT_80_TCP_PORT_END=81",
    "MY_DB_PORT_80_TCP=tcp://172.17.0.2:80",
    "MY_DB_PORT_80_TCP_ADDR=172.17.0.2",
    "MY_DB_PORT_80_TCP_PORT=80",
    "MY_DB_PORT_80_TCP_PROTO=tcp",
    "MY_DB_PORT_81_TCP=tcp://172.17.0.2:81",
    "MY_DB_PORT_81_TCP_ADDR=172.17.0.2",
    "MY_DB_PORT_81_TCP_PORT=81",
    "MY_DB_PORT_81_TCP_PROTO=tcp",
    "MY_DB_PORT_53_UDP=udp://172.17.0.2:53",
    "MY_DB_PORT_53_UDP_ADDR=172.17.0.2",
    "MY_DB_PORT_53_UDP_PORT=53",
    "MY_DB_PORT_53_UDP_PROTO=udp",
    "MY_DB_NAME=/client/my-db",
    "MY_DB_ENV_PASS=a=b",
  ]);
});

test("a link to a container that offers nothing tells its name", () => {
  const link = { owner: "c", alias: "a", address: "172.17.0.2", ports: [], environment: [] };
  assert.deepEqual(linkEnvironment(link), ["A_NAME=/c/a"]);
});
