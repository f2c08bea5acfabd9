import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import type { ContainerCreateRequest, HostConfig } from "@hawser/api";
import { encodeContainerConfig } from "./container-config.ts";
import { decodeCreateRequest } from "./create-request.ts";
import { encodeHostConfig } from "./host-config.ts";

interface Recorded {
  readonly request: ContainerCreateRequest;
  readonly inspect: {
    readonly Config: Record<string, unknown>;
    readonly HostConfig: Record<string, unknown>;
  };
}

/** What docker CLI 28.2.2 sent to dockerd 20.10.24 for `create`, and what that showed in inspect. */
const recorded = JSON.parse(
  await readFile(new URL("testdata/recorded.json", import.meta.url), "utf8"),
) as Record<"plain" | "full", Recorded>;

const inspectOf = (request: unknown) => {
  // Through JSON, as a state database keeps it.
  const { config, hostConfig } = JSON.parse(JSON.stringify(decodeCreateRequest(request, "")));
  return {
    Config: JSON.parse(JSON.stringify(encodeContainerConfig(config))),
    HostConfig: JSON.parse(JSON.stringify(encodeHostConfig(hostConfig))),
  };
};

describe("a container's configuration", () => {
  for (const name of ["plain", "full"] as const) {
    test(`comes back from ${name} create as dockerd shows it`, () => {
      const { request, inspect } = recorded[name];
      const own = inspectOf(request);
      // Decided when the container is made, not on the wire.
      const hostname = { Hostname: inspect.Config["Hostname"] };
      assert.deepEqual({ ...own.Config, ...hostname }, inspect.Config);
      const { KernelMemory, KernelMemoryTCP, ...expected } = inspect.HostConfig; // gone in API 1.42
      assert.deepEqual([KernelMemory, KernelMemoryTCP], [0, 0]);
      const decidedLater = {
        // the engine's configuration has a say in these: host-defaults.test.ts
        Runtime: expected["Runtime"],
        CgroupnsMode: expected["CgroupnsMode"],
        IpcMode: expected["IpcMode"],
        LogConfig: expected["LogConfig"],
        ShmSize: expected["ShmSize"],
        // dockerd's list grew since; the host that was recorded on has no io controller with weights
        MaskedPaths: expected["MaskedPaths"],
        BlkioWeight: expected["BlkioWeight"],
        BlkioWeightDevice: expected["BlkioWeightDevice"],
        // dockerd adds SELinux' label=disable for --pid host
        SecurityOpt: expected["SecurityOpt"],
      };
      assert.deepEqual({ ...own.HostConfig, ...decidedLater }, expected);
    });
  }

  test("keeps every field of API 1.51", () => {
    const everything: HostConfig = {
      Annotations: { a: "b" },
      BlkioWeight: 300,
      BlkioWeightDevice: [{ Path: "/dev/null", Weight: 200 }],
      CgroupnsMode: "host",
      ConsoleSize: [40, 120],
      ContainerIDFile: "/cid",
      CpuRealtimePeriod: 1,
      CpuRealtimeRuntime: 2,
      DeviceRequests: [
        { Driver: "nvidia", Count: -1, DeviceIDs: ["0"], Capabilities: [["gpu"]], Options: { a: "b" } },
      ],
      Links: ["a:b"],
      MaskedPaths: [],
      NanoCpus: 1_500_000_000,
      ReadonlyPaths: ["/proc/x"],
      Runtime: "other",
      StorageOpt: { size: "1G" },
      VolumeDriver: "local",
      VolumesFrom: ["c"],
      Init: false,
      Mounts: [
        {
          Type: "bind",
          Source: "/a",
          Target: "/b",
          Consistency: "cached",
          BindOptions: {
            Propagation: "rprivate",
            NonRecursive: true,
            CreateMountpoint: true,
            ReadOnlyNonRecursive: true,
            ReadOnlyForceRecursive: true,
          },
        },
        {
          Type: "volume",
          Target: "/v",
          VolumeOptions: {
            NoCopy: true,
            Labels: { l: "1" },
            Subpath: "s",
            DriverConfig: { Name: "local", Options: { o: "1" } },
          },
        },
        { Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 5, Mode: 511, Options: [["noexec"]] } },
        { Type: "image", Source: "i", Target: "/i", ImageOptions: { Subpath: "s" } },
      ],
    };
    const request = {
      Image: "i",
      Cmd: "one text",
      Entrypoint: [],
      Healthcheck: { Test: ["CMD", "x"], StartInterval: 7 },
      NetworkDisabled: true,
      MacAddress: "02:00:00:00:00:01",
      OnBuild: ["RUN x"],
      Shell: ["/bin/sh"],
      StopTimeout: 0,
      HostConfig: everything,
    };
    const own = inspectOf(request);
    for (const [key, value] of Object.entries(everything)) assert.deepEqual(own.HostConfig[key], value, key);
    assert.deepEqual(own.Config.Cmd, ["one text"]);
    for (const key of [
      "Entrypoint",
      "Healthcheck",
      "NetworkDisabled",
      "MacAddress",
      "OnBuild",
      "Shell",
      "StopTimeout",
    ] as const) {
      assert.deepEqual(own.Config[key], request[key], key);
    }
  });

  test("is read with Go's leniency", () => {
    const { config, hostConfig } = decodeCreateRequest(
      {
        image: "i",
        TTY: true,
        Unknown: 1,
        Env: null,
        HostConfig: { networkmode: null, memory: 1 << 20, AUTOREMOVE: true, Binds: null },
      },
      "",
    );
    assert.equal(config.image, "i");
    assert.equal(config.tty, true);
    assert.deepEqual(config.env, []);
    assert.equal(hostConfig.networkMode, "bridge");
    assert.equal(hostConfig.memoryBytes, 1 << 20);
    assert.equal(hostConfig.memorySwapBytes, 2 << 20);
    assert.equal(hostConfig.autoRemove, true);
  });

  for (const [request, message] of [
    [
      { HostConfig: { Memory: "5" } },
      "json: cannot unmarshal string into Go struct field .HostConfig.Memory of type int64",
    ],
    [
      { HostConfig: { Memory: 1.5 } },
      "json: cannot unmarshal number 1.5 into Go struct field .HostConfig.Memory of type int64",
    ],
    [{ Env: "x" }, "json: cannot unmarshal string into Go struct field .Env of type []string"],
    [{ Env: [1] }, "json: cannot unmarshal number into Go struct field .Env of type string"],
    [{ Tty: "true" }, "json: cannot unmarshal string into Go struct field .Tty of type bool"],
    [{ Labels: { a: 1 } }, "json: cannot unmarshal number into Go struct field .Labels.a of type string"],
    [
      { HostConfig: [] },
      "json: cannot unmarshal array into Go struct field .HostConfig of type container.HostConfig",
    ],
    [
      { HostConfig: { RestartPolicy: { Name: "foo" } } },
      "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
    ],
    [
      { HostConfig: { Mounts: [{ Type: "foo" }] } },
      'invalid mount config for type "foo": mount type unknown',
    ],
  ] as const) {
    test(`is refused: ${JSON.stringify(request)}`, () => {
      assert.throws(() => decodeCreateRequest(request, ""), { kind: "invalid-argument", message });
    });
  }

  test("treats __proto__ as the name that it is", () => {
    const request = JSON.parse(
      '{"Image":"i","__proto__":{"Tty":true},"Labels":{"__proto__":"x","a":"b"},"HostConfig":{"__proto__":{"Privileged":true},"Sysctls":{"__proto__":"1"}}}',
    );
    const { config, hostConfig } = decodeCreateRequest(request, "");
    assert.deepEqual(Object.entries(config.labels), [
      ["__proto__", "x"],
      ["a", "b"],
    ]);
    assert.equal(config.tty, false);
    assert.equal(hostConfig.privileged, false);
    assert.equal(JSON.stringify(encodeHostConfig(hostConfig).Sysctls), '{"__proto__":"1"}');
    assert.equal(({} as { Tty?: boolean }).Tty, undefined);
  });

  test("carries what is asked of networks", () => {
    const { endpoints } = decodeCreateRequest(
      {
        Image: "i",
        NetworkingConfig: {
          EndpointsConfig: {
            net: {
              IPAMConfig: { IPv4Address: "10.0.0.9" },
              Aliases: ["db"],
              MacAddress: "02:00:00:00:00:09",
            },
            other: null,
          },
        },
      },
      "",
    );
    assert.deepEqual(Object.keys(endpoints), ["net", "other"]);
    assert.equal(endpoints["net"]?.ipv4Address, "10.0.0.9");
    assert.deepEqual(endpoints["net"]?.aliases, ["db"]);
    assert.equal(endpoints["other"]?.macAddress, "");
  });
});
