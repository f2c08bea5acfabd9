import { deepEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { type ApiVersion, compareApiVersions } from "@hawser/api";
import { decodeCreateRequest } from "./create-request.ts";
import { asOfVersion } from "./create-versions.ts";

const request = {
  Image: "busybox",
  Healthcheck: { Test: ["CMD", "true"], StartInterval: 5_000_000_000 },
  HostConfig: { AutoRemove: true, ConsoleSize: [5, 6], Annotations: { a: "b" } },
};

/** What dockerd 28.5.2 shows in inspect of a container that a client of this version made. */
for (const [version, shown] of [
  ["1.24", [false, [0, 0], {}, 0]],
  ["1.25", [true, [0, 0], {}, 0]],
  ["1.41", [true, [0, 0], {}, 0]],
  ["1.42", [true, [5, 6], {}, 0]],
  ["1.43", [true, [5, 6], { a: "b" }, 0]],
  ["1.44", [true, [5, 6], { a: "b" }, 5_000_000_000]],
] as const) {
  test(`a create by a client of ${version} means what it did then`, () => {
    const atLeast = (wanted: ApiVersion) => compareApiVersions(version as ApiVersion, wanted) >= 0;
    const { config, hostConfig } = asOfVersion(decodeCreateRequest(request, ""), atLeast);
    const { autoRemove, consoleSize, annotations } = hostConfig;
    deepEqual([autoRemove, consoleSize, annotations, config.healthcheck?.startIntervalNs], shown);
  });
}

const at = (version: ApiVersion) => (wanted: ApiVersion) => compareApiVersions(version, wanted) >= 0;
const [mac, other] = ["02:42:ac:11:00:09", "02:42:ac:11:00:08"];
const withMac = (NetworkMode: string, endpoints: object = {}, MacAddress = mac) =>
  decodeCreateRequest(
    {
      Image: "busybox",
      MacAddress,
      HostConfig: { NetworkMode },
      NetworkingConfig: { EndpointsConfig: endpoints },
    },
    "",
  );

/** As dockerd 28.5.2 answers. */
test("a container has a MAC address of its own until 1.44, where it has a network of its own", () => {
  for (const mode of ["host", "none", "container:x"]) {
    throws(() => asOfVersion(withMac(mode), at("1.43")), {
      kind: "invalid-argument",
      message: "conflicting options: mac-address and the network mode",
    });
    const { config, warnings } = asOfVersion(withMac(mode, {}, "nope"), at("1.44"));
    deepEqual([config.macAddress, warnings.length], [undefined, 1], mode);
  }
  for (const mode of ["", "default", "bridge", "users"]) {
    for (const [version, warned] of [
      ["1.43", 0],
      ["1.44", 1],
    ] as const) {
      const { config, warnings } = asOfVersion(withMac(mode), at(version));
      deepEqual([config.macAddress, warnings.length], [mac, warned], mode);
    }
  }
  const own = { users: { MacAddress: other } };
  for (const asked of [mac, ""]) {
    const seen = (version: ApiVersion) =>
      asOfVersion(withMac("users", own, asked), at(version)).endpoints["users"]?.macAddress;
    deepEqual([seen("1.43"), seen("1.44")], ["", other]);
  }
});
