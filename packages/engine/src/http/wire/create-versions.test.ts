import { deepEqual } from "node:assert/strict";
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
