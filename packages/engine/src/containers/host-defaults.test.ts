import { deepEqual, equal } from "node:assert/strict";
import test from "node:test";
import type { HostConfig as WireHostConfig } from "@hawser/api";
import { containerDefaults } from "../config/container-defaults.ts";
import type { Settings } from "../config/settings.ts";
import { decodeCreateRequest } from "../http/wire/create-request.ts";
import type { ContainerHost } from "./host.ts";
import { withDefaults } from "./host-defaults.ts";

function created(asked: Partial<WireHostConfig>, settings: Settings = {}) {
  const { hostConfig } = decodeCreateRequest({ Image: "i", HostConfig: asked }, "");
  const host = {
    defaults: containerDefaults(settings),
    defaultRuntime: "crun",
    cgroups: { mode: "v2", mountPoints: [] },
  };
  return withDefaults(hostConfig, host as unknown as ContainerHost);
}

test("a container that asks for nothing gets what dockerd gives", () => {
  const made = created({});
  equal(made.shmSizeBytes, 64 << 20);
  deepEqual(made.log, { driver: "json-file", options: {} });
  deepEqual([made.ipcMode, made.cgroupnsMode, made.runtime], ["private", "private", "crun"]);
  deepEqual([made.networkMode, made.ulimits, made.securityOpt, made.init], ["bridge", [], [], undefined]);
});

const configured: Settings = {
  "default-shm-size": 5 << 20,
  "default-ulimits": [
    { name: "nofile", soft: 1, hard: 2 },
    { name: "nproc", soft: 3, hard: 4 },
  ],
  "default-ipc-mode": "shareable",
  "default-cgroupns-mode": "host",
  "log-opts": { "max-size": "1m", "max-file": "2" },
  "no-new-privileges": true,
  "seccomp-profile": "unconfined",
  init: true,
  bridge: "none",
};

test("the engine's configuration is for what a container does not say", () => {
  const made = created({}, configured);
  equal(made.shmSizeBytes, 5 << 20);
  deepEqual(
    [made.ipcMode, made.cgroupnsMode, made.init, made.networkMode],
    ["shareable", "host", true, "none"],
  );
  deepEqual(made.log, { driver: "json-file", options: { "max-size": "1m", "max-file": "2" } });
  deepEqual(made.securityOpt, ["no-new-privileges", "seccomp=unconfined"]);
  equal(made.ulimits.length, 2);
});

test("what a container says itself counts", () => {
  const made = created(
    {
      ShmSize: 1 << 20,
      Ulimits: [{ Name: "nofile", Soft: 7, Hard: 8 }],
      IpcMode: "private",
      CgroupnsMode: "private",
      LogConfig: { Type: "json-file", Config: { "max-size": "9m" } },
      SecurityOpt: ["no-new-privileges:false", "seccomp={}"],
      Init: false,
      NetworkMode: "other",
    },
    configured,
  );
  equal(made.shmSizeBytes, 1 << 20);
  deepEqual(
    [made.ipcMode, made.cgroupnsMode, made.init, made.networkMode],
    ["private", "private", false, "other"],
  );
  deepEqual(made.log.options, { "max-size": "9m", "max-file": "2" });
  deepEqual(made.securityOpt, ["no-new-privileges:false", "seccomp={}"]);
  deepEqual(made.ulimits, [
    { name: "nofile", soft: 7, hard: 8 },
    { name: "nproc", soft: 3, hard: 4 },
  ]);
  deepEqual(created({ LogConfig: { Type: "none", Config: {} } }, configured).log, {
    driver: "none",
    options: {},
  });
  deepEqual(created({ Privileged: true }, configured).securityOpt, ["no-new-privileges"]);
});
