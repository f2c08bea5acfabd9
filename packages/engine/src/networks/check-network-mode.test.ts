import { doesNotThrow, throws } from "node:assert/strict";
import { test } from "node:test";
import { decodeCreateRequest } from "../http/wire/create-request.ts";
import { checkNetworkMode } from "./check-network-mode.ts";

const check = (host: object, config: object = {}) => {
  const body = decodeCreateRequest({ Image: "busybox", ...config, HostConfig: host }, "");
  checkNetworkMode(body.config, body.hostConfig);
};
const shared = { NetworkMode: "container:other" };

/** As dockerd 28.5.2 answers. */
for (const [host, config, words] of [
  [shared, { Hostname: "a" }, "hostname and the network mode"],
  [{ ...shared, Dns: ["1.1.1.1"] }, {}, "dns and the network mode"],
  [{ ...shared, ExtraHosts: ["a:1.1.1.1"] }, {}, "custom host-to-IP mapping and the network mode"],
  [
    { ...shared, PortBindings: { "80/tcp": [{}] } },
    {},
    "port publishing and the container type network mode",
  ],
  [{ ...shared, PublishAllPorts: true }, {}, "port publishing and the container type network mode"],
  [shared, { ExposedPorts: { "80/tcp": {} } }, "port exposing and the container type network mode"],
  [
    { ...shared, Links: ["a"] },
    {},
    "container type network can't be used with links. This would result in undefined behavior",
  ],
  [
    { NetworkMode: "host", Links: ["a"] },
    {},
    "host type networking can't be used with links. This would result in undefined behavior",
  ],
  [{ UTSMode: "host" }, { Hostname: "a" }, "hostname and the UTS mode"],
] as const) {
  test(`is refused: ${JSON.stringify({ ...config, ...host })}`, () => {
    throws(() => check(host, config), {
      kind: "invalid-argument",
      message: `conflicting options: ${words}`,
    });
  });
}

test("what only looks like a contradiction is none", () => {
  doesNotThrow(() => {
    check({ ...shared, DnsSearch: ["a"] }, { Domainname: "a" });
    check({ NetworkMode: "host", Dns: ["1.1.1.1"], ExtraHosts: ["a:1.1.1.1"] }, { Hostname: "a" });
    check({ NetworkMode: "none", Links: ["a"], UTSMode: "" }, { Hostname: "a" });
    check({ UTSMode: "host" }, { Domainname: "a" });
  });
});
