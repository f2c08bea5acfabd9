import assert from "node:assert/strict";
import { test } from "node:test";
import { makeConfig, makeHostConfig, makeHostFacts, makeSpecInput } from "../testing/container-config.ts";
import { buildExecProcess, buildProcess } from "./process.ts";

const user = { uid: 1000, gid: 100, additionalGids: [10], home: "/home/alice" };

test("the environment: ours, then the image's and the user's, which win; a bare name removes", () => {
  const { env } = buildProcess(makeSpecInput({ config: { env: ["A=1", "HOSTNAME=other", "PATH"] }, user }));
  assert.deepEqual(env, ["HOSTNAME=other", "A=1", "HOME=/home/alice"]);
  const { env: own } = buildProcess(makeSpecInput({ config: { env: ["HOME=/x"], tty: true } }));
  assert.deepEqual(own.slice(1), ["HOSTNAME=box", "TERM=xterm", "HOME=/x"]);
});

test("a user's groups include the primary one, as login gives them", () => {
  const { user: runs } = buildProcess(makeSpecInput({ user }));
  assert.deepEqual(runs, { uid: 1000, gid: 100, additionalGids: [100, 10] });
});

test("an AppArmor profile is named only where the kernel has AppArmor", () => {
  const profileOf = (host: object, hostConfig = {}) =>
    buildProcess(makeSpecInput({ host: makeHostFacts(host), hostConfig })).apparmorProfile;
  const withAppArmor = { appArmor: true, appArmorProfile: "docker-default" };
  assert.equal(profileOf(withAppArmor), "docker-default");
  assert.equal(profileOf(withAppArmor, { privileged: true }), "unconfined");
  assert.equal(profileOf(withAppArmor, { securityOpt: ["apparmor=mine"] }), "mine");
  assert.equal(profileOf({}, { securityOpt: ["apparmor=mine"] }), undefined);
});

test("an exec is confined as the container is, with its own command, folder, variables and user", () => {
  const process = buildExecProcess({
    config: makeConfig({ env: ["A=1"], workingDir: "/srv", entrypoint: ["/entry"] }),
    hostConfig: makeHostConfig({ capDrop: ["ALL"], securityOpt: ["no-new-privileges"] }),
    exec: {
      cmd: ["id"],
      env: ["A=2", "B=3"],
      workingDir: "",
      tty: true,
      privileged: false,
      consoleSize: [24, 80],
    },
    user,
    host: makeHostFacts(),
  });
  assert.deepEqual(process.args, ["id"]);
  assert.equal(process.cwd, "/srv");
  assert.deepEqual(process.env.slice(1), ["HOSTNAME=box", "TERM=xterm", "A=2", "HOME=/home/alice", "B=3"]);
  assert.deepEqual(process.consoleSize, { height: 24, width: 80 });
  assert.deepEqual(process.capabilities?.bounding, []);
  assert.equal(process.noNewPrivileges, true);
});

test("a privileged exec in a plain container holds every capability of the host", () => {
  const process = buildExecProcess({
    config: makeConfig(),
    hostConfig: makeHostConfig(),
    exec: { cmd: ["id"], env: [], workingDir: "/", tty: false, privileged: true },
    user: { ...user, uid: 0 },
    host: makeHostFacts({ capabilities: ["CAP_SYS_ADMIN"] }),
  });
  assert.deepEqual(process.capabilities?.effective, ["CAP_SYS_ADMIN"]);
});
