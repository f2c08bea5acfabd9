import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { certificates, eventually, makeCertFolder, openTempDir } from "@hawser/base/testing";
import { root } from "../../tools/tree.ts";
import { openTestRegistry } from "../conformance/distribution/kit-registry.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { runCommand } from "./kit-process.ts";
import { findLayer } from "./kit-target.ts";

/** The drop-in `dockerd` and what its configuration does, all by the docker CLI. */

async function ok(engine: TestEngine, ...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await engine.docker(args);
  assert.equal(exitCode, 0, `docker ${args.join(" ")}\n${stderr}${stdout}`);
  return stdout.trim();
}

async function importBusybox(engine: TestEngine): Promise<void> {
  const layer = join(dirname(engine.socket), "layer.tar");
  await writeFile(layer, await findLayer("busybox"));
  await ok(engine, "import", "--change", 'CMD ["sh"]', layer, "box");
}

/** Where it answers by TCP, with the port that the system chose. */
function tcpHostOf(engine: TestEngine): string {
  const [, host = ""] = /hosts=\S*(tcp:\/\/127\.0\.0\.1:\d+)/.exec(engine.log().replaceAll('"', "")) ?? [];
  return host;
}

const statusOf = (engine: TestEngine, name: string) =>
  ok(engine, "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", name);

describe("dockerd", () => {
  test("takes Docker's flags, stops with its containers, and brings back those that are to be", async () => {
    await using engine = await openEngine({
      asDockerd: true,
      flags: [
        ..."--storage-driver overlay2 --containerd /run/none.sock --iptables=false --label role=test".split(
          " ",
        ),
        ..."--exec-opt native.cgroupdriver=cgroupfs --default-cgroupns-mode private --experimental".split(
          " ",
        ),
      ],
    });
    await importBusybox(engine);
    const told = engine.log();
    for (const name of ["storage-driver", "containerd", "iptables", "exec-opts"]) {
      assert.equal(told.split(`setting=${name} `).length, 2, `${name} is told of once`);
    }
    assert.deepEqual(JSON.parse(await ok(engine, "info", "--format", "{{json .Labels}}")), ["role=test"]);
    assert.equal(
      await ok(engine, "info", "--format", "{{.LiveRestoreEnabled}} {{.ExperimentalBuild}}"),
      "false true",
    );
    await ok(
      engine,
      "run",
      "-d",
      "--name",
      "always",
      "--restart",
      "always",
      "--init",
      "box",
      "sleep",
      "1000",
    );
    await ok(
      engine,
      "run",
      "-d",
      "--name",
      "unless",
      "--restart",
      "unless-stopped",
      "--init",
      "box",
      "sleep",
      "1000",
    );
    await ok(engine, "run", "-d", "--name", "plain", "--init", "box", "sleep", "1000");
    await ok(engine, "run", "-d", "--name", "gone", "--rm", "--init", "box", "sleep", "1000");
    await engine.stop();
    assert.deepEqual([engine.monitors(), engine.launchers()], [[], []]);
    for (const path of [engine.socket, engine.pidFile]) assert.equal(existsSync(path), false, path);
    await engine.start();
    await eventually(async () => (await statusOf(engine, "always")) === "running 0");
    await eventually(async () => (await statusOf(engine, "unless")) === "running 0");
    assert.equal(await statusOf(engine, "plain"), "exited 143");
    assert.equal(await ok(engine, "ps", "-aq", "--filter", "name=gone"), "");
    // A user's stop stays one.
    await ok(engine, "stop", "-t", "0", "unless");
    await engine.stop();
    await engine.start();
    assert.match(await statusOf(engine, "unless"), /^exited/);
  });

  test("several run beside each other, told no more than their places", async () => {
    await using opened = new AsyncDisposableStack();
    const open = async () => opened.use(await openEngine({ asDockerd: true }));
    const [one, two] = await Promise.all([open(), open()]);
    const flags = ["--name", "same", "-p", "127.0.0.1::80", "--init"];
    const subnets = await Promise.all(
      [one, two].map(async (engine) => {
        await ok(engine, "network", "create", "more");
        await importBusybox(engine);
        await ok(engine, "run", "-d", ...flags, "box", "sleep", "1000");
        const format = "{{(index .IPAM.Config 0).Subnet}}";
        return (await ok(engine, "network", "inspect", "bridge", "more", "--format", format)).split("\n");
      }),
    );
    assert.equal(new Set(subnets.flat()).size, 4, subnets.join(" "));
    await one.stop();
    assert.equal(await statusOf(two, "same"), "running 0");
    assert.equal(await ok(two, "run", "--rm", "box", "echo", "still"), "still");
  });

  test("with live restore containers outlive it", async () => {
    await using engine = await openEngine({ asDockerd: true, config: { "live-restore": true } });
    await importBusybox(engine);
    await ok(engine, "run", "-d", "--name", "box", "--init", "box", "sleep", "1000");
    const pid = await ok(engine, "inspect", "--format", "{{.State.Pid}}", "box");
    await engine.stop();
    await engine.start();
    assert.equal(await ok(engine, "inspect", "--format", "{{.State.Pid}}", "box"), pid);
  });

  test("does not wait for containers when it is asked three times", async () => {
    await using engine = await openEngine({ asDockerd: true });
    await importBusybox(engine);
    const command = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"];
    await ok(engine, "run", "-d", "--name", "deaf", "--stop-timeout", "-1", "box", ...command);
    const pid = engine.pid();
    process.kill(pid, "SIGTERM");
    await eventually(() => engine.log().includes("engine stops"));
    process.kill(pid, "SIGINT");
    process.kill(pid, "SIGTERM");
    await eventually(() => !existsSync(`/proc/${pid}/exe`));
    await engine.start();
    assert.equal(await statusOf(engine, "deaf"), "running 0");
  });

  test("does not touch the data of Docker's own engine", async () => {
    await using engine = await openEngine({ asDockerd: true });
    const foreign = join(dirname(engine.socket), "foreign");
    await mkdir(join(foreign, "image"), { recursive: true });
    await mkdir(join(foreign, "volumes/precious"), { recursive: true });
    await engine.stop();
    await assert.rejects(engine.start(["--data-root", foreign]), /it holds the data of Docker's own engine/);
    assert.equal(existsSync(join(foreign, "volumes/precious")), true);
  });
});

describe("the configuration file", () => {
  test("decides what containers get", async () => {
    await using engine = await openEngine({
      asDockerd: true,
      config: {
        "default-ulimits": { nofile: { Name: "nofile", Soft: 123, Hard: 456 } },
        "default-shm-size": "5m",
        init: true,
        dns: ["192.0.2.7"],
        "dns-search": ["corp.example"],
        "dns-opts": ["ndots:3"],
        "log-opts": { "max-size": "1m" },
        "no-new-privileges": true,
        bip: "10.213.7.1/24",
        mtu: 1400,
        ip: "127.0.0.1",
        "default-address-pools": [{ base: "10.213.128.0/17", size: 26 }],
        "registry-mirrors": ["http://127.0.0.1:9"],
        "insecure-registries": ["reg.example:5000"],
        labels: ["a=b"],
      },
    });
    await importBusybox(engine);
    const inside = await ok(
      engine,
      "run",
      "--rm",
      "box",
      "sh",
      "-c",
      "ulimit -n; df -k /dev/shm | tail -1; cat /proc/1/comm /etc/resolv.conf /sys/class/net/eth0/mtu; " +
        "grep NoNewPrivs /proc/self/status; ip addr show eth0",
    );
    assert.match(inside, /^123\n.*\b5120\b.*\/dev\/shm\n/);
    assert.match(inside, /^(docker|hawser)-init$/m);
    assert.match(inside, /nameserver 192\.0\.2\.7\n/);
    assert.match(inside, /^search corp\.example$/m);
    assert.match(inside, /^options ndots:3$/m);
    assert.match(inside, /^1400$/m);
    assert.match(inside, /NoNewPrivs:\t1/);
    assert.match(inside, /inet 10\.213\.7\.\d+\/24/);
    await ok(engine, "run", "-d", "--name", "web", "-p", "80", "box", "sleep", "1000");
    assert.match(await ok(engine, "port", "web"), /^80\/tcp -> 127\.0\.0\.1:\d+$/);
    assert.equal(
      await ok(engine, "inspect", "--format", "{{.HostConfig.LogConfig}}", "web"),
      "{json-file map[max-size:1m]}",
    );
    await ok(engine, "network", "create", "pooled");
    assert.match(
      await ok(engine, "network", "inspect", "pooled", "--format", "{{(index .IPAM.Config 0).Subnet}}"),
      /^10\.213\.\d+\.\d+\/26$/,
    );
    const info = await ok(engine, "info");
    assert.match(info, /Registry Mirrors:\n {2}http:\/\/127\.0\.0\.1:9\/\n/);
    assert.match(info, /Insecure Registries:\n(.*\n)* {2}reg\.example:5000\n/);
    assert.match(info, /Labels:\n {2}a=b\n/);
    assert.match(info, /Base: 10\.213\.128\.0\/17, Size: 26/);
  });

  test("keeps the build cache within its size, but for what images share", async () => {
    await using work = await openTempDir("hawser-e2e-gc-");
    await writeFile(
      join(work.path, "Dockerfile"),
      "FROM busybox\nRUN head -c 200000 /dev/urandom > /one\nRUN head -c 300000 /dev/urandom > /two\n",
    );
    await using engine = await openEngine({
      config: { builder: { gc: { enabled: true, defaultKeepStorage: "400KB" } } },
    });
    const usage = () => ok(engine, "system", "df", "--format", "{{.Type}} {{.TotalCount}}");
    await ok(engine, "build", "-t", "large:kit", work.path);
    await ok(engine, "build", "-t", "large:again", work.path);
    assert.match(await usage(), /Build Cache 2/);
    await ok(engine, "rmi", "large:kit", "large:again");
    await writeFile(join(work.path, "Dockerfile"), "FROM busybox\n");
    await ok(engine, "build", work.path);
    await eventually(async () => (await usage()).includes("Build Cache 1"), { what: "one result is kept" });
    assert.match(engine.log(), /build cache made smaller/);
  });

  test("gives the default bridge IPv6, and addresses from a part of it", async () => {
    await using engine = await openEngine({
      asDockerd: true,
      config: {
        ipv6: true,
        "fixed-cidr-v6": "fd42:4242:7::/64",
        bip: "10.213.9.1/24",
        "fixed-cidr": "10.213.9.128/26",
      },
    });
    await importBusybox(engine);
    const addresses = () =>
      ok(
        engine,
        "run",
        "--rm",
        "box",
        "sh",
        "-c",
        "ip addr show eth0; ip -6 route; ping -6 -c 1 fd42:4242:7::1",
      );
    const first = await addresses();
    assert.match(first, /inet 10\.213\.9\.1(2[89]|[3-8]\d|9[01])\/24/);
    assert.match(first, /inet6 fd42:4242:7::\w+\/64/);
    assert.match(first, /default via fd42:4242:7::1 /);
    assert.match(first, /1 packets received/);
    const shown = await ok(
      engine,
      "network",
      "inspect",
      "bridge",
      "--format",
      "{{.EnableIPv6}} {{json .IPAM.Config}}",
    );
    assert.match(shown, /^true .*"Subnet":"fd42:4242:7::\/64"/);
    await ok(engine, "run", "-d", "--name", "box", "--init", "box", "sleep", "1000");
    const own = () => ok(engine, "inspect", "--format", "{{.NetworkSettings.GlobalIPv6Address}}", "box");
    const address = await own();
    await engine.kill();
    await engine.start();
    assert.equal(await own(), address);
    assert.doesNotMatch(await addresses(), new RegExp(`inet6 ${address}/`));
    // Which addresses, when none are named, is the engine's own matter.
    await ok(engine, "rm", "-f", "box");
    await engine.stop();
    await engine.configure({ ipv6: true });
    await engine.start();
    const config = ["network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"];
    const chosen = await ok(engine, ...config);
    assert.match(chosen, /"Subnet":"fd[0-9a-f:]+\/64"/);
    await engine.stop();
    await engine.start();
    assert.equal(await ok(engine, ...config), chosen);
  });

  test("that is wrong keeps the engine from starting, and says why", async () => {
    await using engine = await openEngine({ asDockerd: true });
    await engine.stop();
    await engine.configure({ nope: 1 });
    await assert.rejects(
      engine.start(),
      /the following directives don't match any configuration option: nope/,
    );
    await engine.configure({ debug: true });
    await assert.rejects(
      engine.start(["-D"]),
      /specified both as a flag and in the configuration file: debug/,
    );
    await engine.configure({});
    await assert.rejects(engine.start(["-H", "tcp://127.0.0.1:0"]), /without encryption/);
    await engine.start(["--validate=false"]);
    const validate = async (text: string) => {
      const path = join(dirname(engine.socket), "validated.json");
      await writeFile(path, text);
      return await runCommand([join(root, "dockerd"), "--validate", "--config-file", path]);
    };
    const right = await validate('{"debug": true}');
    assert.deepEqual([right.exitCode, right.stdout], [0, "configuration OK\n"]);
    const wrong = await validate('{"debug": 1}');
    assert.equal(wrong.exitCode, 1);
    assert.match(
      wrong.stderr,
      /validated.json: json: cannot unmarshal number into Go struct field Config.debug of type bool/,
    );
  });

  test("is read again at SIGHUP, which is announced; one that is wrong changes nothing", async () => {
    await using engine = await openEngine({ asDockerd: true, config: { labels: ["a=1"] } });
    const since = String(Math.floor(Date.now() / 1000));
    const reloads = async () => {
      const until = (Date.now() / 1000 + 1).toFixed(3);
      const filter = ["--filter", "type=daemon", "--filter", "event=reload"];
      const text = await ok(
        engine,
        "events",
        "--since",
        since,
        "--until",
        until,
        ...filter,
        "--format",
        "{{json .}}",
      );
      return text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line));
    };
    const labels = () => ok(engine, "info", "--format", "{{.Labels}} {{.Debug}} {{.LiveRestoreEnabled}}");
    assert.equal(await labels(), "[a=1] false false");
    await engine.configure({
      labels: ["a=2"],
      debug: true,
      "live-restore": true,
      "max-concurrent-downloads": 2,
      runtimes: { second: { path: "/usr/bin/crun", runtimeArgs: ["--debug"] } },
      features: { x: true },
    });
    engine.reload();
    await eventually(async () => (await labels()) === "[a=2] true true");
    const [event] = await reloads();
    assert.equal(event.Actor.Attributes.labels, '["a=2"]');
    assert.equal(event.Actor.Attributes["max-concurrent-downloads"], "2");
    assert.equal(event.Actor.Attributes.features, "map[x:true]");
    assert.equal(event.Actor.ID, await ok(engine, "info", "--format", "{{.ID}}"));
    assert.match(
      await ok(engine, "info", "--format", "{{json .Runtimes}}"),
      /"second":\{"path":"\/usr\/bin\/crun"/,
    );
    await importBusybox(engine);
    assert.equal(await ok(engine, "run", "--rm", "--runtime", "second", "box", "echo", "hi"), "hi");
    await engine.configure({ labels: ["a=3"], nope: true });
    engine.reload();
    await eventually(() => engine.log().includes("configuration not reloaded"));
    assert.match(engine.log(), /directives don't match any configuration option: nope/);
    assert.equal(await labels(), "[a=2] true true");
    assert.equal((await reloads()).length, 1);
  });
});

test("a mirror that a reload has brought is asked", async () => {
  await using engine = await openEngine();
  await using registry = await openTestRegistry();
  await importBusybox(engine);
  const pushed = `${new URL(registry.url).host}/library/mirrored:1`;
  await ok(engine, "tag", "box", pushed);
  await ok(engine, "push", pushed);
  await ok(engine, "rmi", pushed);
  // Nobody else is to be asked of Docker Hub: what is wanted is in the mirror.
  await rm(join(dirname(engine.socket), "registries/docker.io"), { recursive: true });
  await engine.configure({ "registry-mirrors": [registry.url] });
  engine.reload();
  await eventually(() => engine.log().includes("configuration reloaded"));
  await ok(engine, "pull", "mirrored:1");
  assert.equal(await ok(engine, "run", "--rm", "mirrored:1", "echo", "hello"), "hello");
});

describe("the API by TCP", () => {
  test("is for clients with a certificate, who can do all that others can", async () => {
    const { authority, server } = certificates;
    const tls = ["--tlsverify", "--tlscacert", authority, "--tlscert", server.cert, "--tlskey", server.key];
    await using engine = await openEngine({ asDockerd: true, flags: ["-H", "tcp://127.0.0.1:0", ...tls] });
    await using work = await openTempDir("hawser-e2e-certs-");
    await importBusybox(engine);
    const host = tcpHostOf(engine);
    const by = async (who: "client" | "stranger") => ({
      DOCKER_HOST: host,
      DOCKER_TLS_VERIFY: "1",
      DOCKER_CERT_PATH: await makeCertFolder(join(work.path, who), who),
    });
    const env = await by("client");
    const run = await engine.docker(["run", "-i", "--rm", "box", "sh", "-c", "cat; echo oops >&2; exit 7"], {
      env,
      input: "x".repeat(300_000),
    });
    assert.deepEqual([run.exitCode, run.stdout.length, run.stderr], [7, 300_000, "oops\n"]);
    await ok(engine, "run", "-d", "--name", "web", "--init", "box", "sleep", "1000");
    const exec = await engine.docker(["exec", "-i", "web", "cat"], { env, input: "through" });
    assert.deepEqual([exec.exitCode, exec.stdout], [0, "through"]);
    const missing = await engine.docker(["exec", "web", "no-such-program"], { env });
    assert.equal(missing.exitCode, 127);
    const stranger = await engine.docker(["ps"], { env: await by("stranger") });
    assert.notEqual(stranger.exitCode, 0);
    assert.match(stranger.stderr, /certificate|tls/);
    const plain = await engine.docker(["ps"], { env: { DOCKER_HOST: host } });
    assert.notEqual(plain.exitCode, 0);
    assert.match(await ok(engine, "version", "--format", "{{.Server.Version}}"), /^\d/);
  });

  test("without encryption is there for who says so, and info warns", async () => {
    await using engine = await openEngine({
      asDockerd: true,
      flags: ["-H", "tcp://127.0.0.1:0", "--tls=false"],
    });
    const host = tcpHostOf(engine);
    const { stdout, stderr } = await engine.docker(["info"], { env: { DOCKER_HOST: host } });
    assert.match(stdout + stderr, /without encryption/);
  });
});

describe("a service manager", () => {
  test("hands over the socket, and is told when the engine is ready", async () => {
    await using dir = await openTempDir("hawser-e2e-service-");
    const handed = join(dir.path, "handed.sock");
    const notify = join(dir.path, "notify.sock");
    const handOver = `use Socket; $^F = 9; unlink $ARGV[0]; socket(S, AF_UNIX, SOCK_STREAM, 0) or die; bind(S, sockaddr_un(shift)) or die;
      listen(S, 9); $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 1; fileno(S) == 3 or die; exec @ARGV`;
    const receive = `use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; bind(S, sockaddr_un($ARGV[0])) or die;
      $| = 1; print "bound\n"; while (defined recv(S, $m, 100, 0)) { print "$m\n"; last if $m eq "STOPPING=1" }`;
    const perl = spawn("perl", ["-e", receive, notify], { stdio: ["ignore", "pipe", "inherit"] });
    let heard = "";
    perl.stdout.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    using _ending = { [Symbol.dispose]: () => perl.kill() };
    await eventually(() => heard.startsWith("bound\n"));
    await using engine = await openEngine({
      asDockerd: true,
      flags: ["-H", "fd://"],
      through: ["perl", "-e", handOver, handed],
      env: { NOTIFY_SOCKET: notify },
    });
    await eventually(() => heard.includes("READY=1\n"));
    const { exitCode } = await engine.docker(["version"], { env: { DOCKER_HOST: `unix://${handed}` } });
    assert.equal(exitCode, 0);
    await engine.stop();
    await eventually(() => heard.endsWith("STOPPING=1\n"));
    assert.equal(existsSync(handed), true, "the socket is the service manager's");
  });
});
