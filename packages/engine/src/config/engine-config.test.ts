import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { type EngineConfig, parseEngineCommand } from "./engine-config.ts";
import type { EngineProgram } from "./layout.ts";
import { allSettings, flagOf } from "./settings.ts";

interface Asked {
  readonly flags?: readonly string[];
  /** The configuration file; text as it is, or what JSON says. */
  readonly file?: unknown;
  readonly program?: EngineProgram;
}

async function openPrograms() {
  const dir = await openTempDir();
  await mkdir(join(dir.path, "native"));
  await writeFile(join(dir.path, "native/hawser-launcher"), "");
  await writeFile(join(dir.path, "none.json"), "{}");
  const command = async ({ flags = [], file, program = "dockerd" }: Asked) => {
    const path = join(dir.path, "daemon.json");
    if (file !== undefined) await writeFile(path, typeof file === "string" ? file : JSON.stringify(file));
    const own = ["--native-dir", join(dir.path, "native"), "--add-runtime=mine=/opt/mine"];
    const configFile = ["--config-file", file === undefined ? join(dir.path, "none.json") : path];
    const argv = [...own, ...configFile, "--default-runtime", "mine", ...flags];
    return () => parseEngineCommand({ program, argv, path: "", environment: {} });
  };
  const config = async (asked: Asked): Promise<EngineConfig> => {
    const parsed = (await command(asked))();
    if (parsed.kind !== "run") throw new Error(`${parsed.kind}, not a configuration`);
    return parsed.config;
  };
  const refuses = async (asked: Asked, message: RegExp | string) =>
    throws(await command(asked), { kind: "invalid-argument", message });
  return Object.assign(dir, { command, config, refuses });
}

test("an engine has the places of its name, and bridge, rules and cgroups of its exec root", async () => {
  await using dir = await openPrograms();
  const docker = await dir.config({});
  equal(docker.dataRoot, "/var/lib/docker");
  deepEqual(docker.hosts, ["unix:///var/run/docker.sock"]);
  equal(docker.pidFile, "/var/run/docker.pid");
  deepEqual([docker.bridge, docker.liveRestore], ["docker0", false]);
  const own = await dir.config({ program: "hawserd", flags: ["--exec-root", "/run/x"] });
  equal(own.pidFile, "/run/x/engine.pid");
  deepEqual(own.hosts, ["unix:///run/x/hawser.sock"]);
  equal(own.liveRestore, true);
  const other = await dir.config({ program: "hawserd", flags: ["--exec-root", "/run/y"] });
  for (const name of ["bridge", "nftTable", "cgroupParent"] as const) {
    equal(new Set([docker[name], own[name], other[name]]).size, 3, name);
    ok(own[name].length <= 20);
  }
});

test("flags have dockerd's grammar", async () => {
  await using dir = await openPrograms();
  const config = await dir.config({
    flags: (
      "-D -H unix:///a -H=tcp:// --host=10.0.0.1:99 -H/b --tls=false --label a=b --label=c=d --init=true -l warn " +
      "--default-ulimit nofile=5:9 --icc=false --default-shm-size 128m --log-opt max-size=1m --feature x " +
      "--feature=y=false --default-address-pool base=10.9.0.0/16,size=24 --mtu 1400 --userns-remap= -s overlay2 " +
      "--default-cgroupns-mode host --dns 9.9.9.9"
    ).split(" "),
  });
  deepEqual(config.hosts, ["unix:///a", "tcp://127.0.0.1:2375", "tcp://10.0.0.1:99", "unix:///b"]);
  equal(config.logLevel, "debug");
  deepEqual(config.labels, ["a=b", "c=d"]);
  deepEqual(config.features, { x: true, y: false });
  deepEqual(config.containers.ulimits, [{ name: "nofile", soft: 5, hard: 9 }]);
  equal(config.containers.shmSizeBytes, 128 << 20);
  deepEqual(config.containers.log, { driver: "json-file", options: { "max-size": "1m" } });
  deepEqual([config.containers.init, config.containers.cgroupnsMode], [true, "host"]);
  deepEqual(config.containers.resolver.dns, ["9.9.9.9"]);
  deepEqual(config.addressPools, [{ base: "10.9.0.0/16", size: 24 }]);
  deepEqual([config.mtu, config.interContainer], [1400, false]);
  deepEqual(
    config.ignored.map(({ name }) => name),
    ["storage-driver"],
  );
  equal((await dir.command({ flags: ["--validate"] }))().kind, "validate");
  equal((await dir.command({ flags: ["-v"] }))().kind, "version");
});

test("every flag and key of dockerd's is taken", async () => {
  await using dir = await openPrograms();
  const { names } = await import("./testing/dockerd-flags.ts");
  const ours = new Set(allSettings.map(flagOf));
  deepEqual(
    names.filter((name) => !ours.has(name)),
    [],
  );
  await dir.config({ flags: ["--containerd=/x", "--iptables=false", "--containerd-namespace", "moby"] });
});

test("what is wrong with a flag is said in dockerd's words", async () => {
  await using dir = await openPrograms();
  const wrong: readonly (readonly [readonly string[], RegExp | string])[] = [
    [["--nonsense"], "unknown flag: --nonsense"],
    [["-Z"], "unknown shorthand flag: 'Z' in -Z"],
    [["run"], '"dockerd" accepts no arguments.'],
    [["--mtu"], "flag needs an argument: --mtu"],
    [["--mtu", "x"], 'invalid argument "x" for "--mtu" flag: strconv.ParseInt: parsing "x": invalid syntax'],
    [["-D=maybe"], /for "-D, --debug" flag: strconv.ParseBool: parsing "maybe"/],
    [["--add-runtime", "x"], /invalid runtime argument: x/],
    [["--add-runtime", "x=relative"], /absolute path/],
    [["--default-runtime", "nope"], "specified default runtime 'nope' does not exist"],
    [["--default-ulimit", "nofile"], /invalid ulimit argument: nofile/],
    [["--default-ulimit", "nofile=9:5"], /must be less than or equal to hard limit/],
    [["--label", "x"], 'invalid argument "x" for "--label" flag: bad attribute format: x'],
    [["--label", "a=1", "--label", "a=2"], /conflict labels for a=2 and a=1/],
    [["-H", "foo://x"], /Invalid bind address format: foo:\/\/x/],
    [["--dns", "nope"], /nope is not an ip address/],
    [["--default-shm-size", "3q"], /invalid size: '3q'/],
    [["--log-driver", "awslogs"], 'error looking up logging plugin awslogs: plugin "awslogs" not found'],
    [["--log-opt", "nope=1"], "unknown log opt 'nope' for json-file log driver"],
    [["--registry-mirror", "ftp://x"], /invalid mirror: unsupported scheme "ftp" in "ftp:\/\/x"/],
    [["--registry-mirror", "x y"], /invalid mirror: "x y" is not a valid URI/],
    [["--registry-mirror", "http://x/?y"], /invalid mirror: query or fragment/],
    [["--mirrored-registry", "https://x.example"], /invalid registry: "https:\/\/x.example"/],
    [["--registry-idle-timeout", "0"], /invalid registry idle timeout: 0/],
    [["--mirrored-registry", "busybox"], /invalid registry: "busybox"/],
    [["--mirror-address", "x.example"], /invalid address: "x.example", host:port was wanted/],
    [["--mirror-address", "x.example:99999"], /invalid address/],
    [["--log-format", "xml"], /invalid log format: xml/],
    [["-l", "loud"], /unable to parse logging level: loud/],
    [["--default-address-pool", "base=10.0.0.0/8,size=7"], /invalid pool size: 7/],
    [["--config-file", "/nowhere"], /with file \/nowhere: open \/nowhere: no such file or directory/],
    [["-H", "tcp://0.0.0.0:2375"], /without encryption.*--tlsverify.*--tls=false/],
    [["--tls"], /cert.pem/],
  ];
  for (const [flags, message] of wrong) await dir.refuses({ flags }, message);
  throws(await dir.command({ flags: ["--userns-remap", "not-there"] }), { kind: "invalid-argument" });
});

test("an engine is not its own mirror's mirror: it would wait for itself", async () => {
  await using dir = await openPrograms();
  const address = (listen: string, mirror: string) => [
    "--mirror-address",
    listen,
    "--registry-mirror",
    mirror,
  ];
  for (const [listen, mirror] of [
    ["10.0.0.1:5000", "http://10.0.0.1:5000"],
    ["10.0.0.1:80", "http://10.0.0.1/"],
    ["[::1]:5000", "http://[::1]:5000"],
    ["Mirror.example:5000", "https://mirror.example:5000"],
    ["127.0.0.1:5000", "http://localhost:5000"],
    ["0.0.0.0:5000", "http://127.0.0.1:5000"],
    ["[::]:5000", `http://${hostname()}:5000`],
  ] as const) {
    await dir.refuses(
      { flags: address(listen, mirror) },
      `invalid mirror: "${mirror}" is this engine's own (mirror-address)`,
    );
  }
  for (const [listen, mirror] of [
    ["10.0.0.1:5000", "http://10.0.0.2:5000"],
    ["10.0.0.1:5000", "http://10.0.0.1:5001"],
    ["0.0.0.0:5000", "http://mirror.example:5000"],
  ] as const) {
    const config = await dir.config({ flags: address(listen, mirror) });
    deepEqual(config.registries.mirrors, [mirror]);
  }
});

test("an insecure registry is a host or a network", async () => {
  await using dir = await openPrograms();
  for (const registry of ["10.0.0.0/99", "fd00::/129", "10.0.0.0/x", "a.example/8", "a b", ""]) {
    const why = `insecure registry ${registry} is not valid: invalid host "${registry}"`;
    await dir.refuses({ flags: ["--insecure-registry", registry] }, new RegExp(why));
  }
  const insecure = ["r.example:5000", "[::1]:5000", "10.0.0.0/8", "fd00::/8"];
  const config = await dir.config({ file: { "insecure-registries": insecure } });
  deepEqual(config.registries.insecure, insecure);
});

test("the configuration file counts as flags do", async () => {
  await using dir = await openPrograms();
  const config = await dir.config({
    file: {
      debug: true,
      hosts: ["unix:///f"],
      runtimes: { other: { path: "/opt/other", runtimeArgs: ["--x"] } },
      "default-ulimits": { nofile: { Name: "nofile", Hard: 9, Soft: 5 } },
      "default-shm-size": "1g",
      "default-address-pools": [{ base: "10.8.0.0/16", size: 24 }],
      "registry-mirrors": ["http://m.example"],
      "mirrored-registries": ["docker.io", "r.example:5000", "docker.io"],
      "mirror-address": "[::1]:5000",
      "insecure-registries": ["http://r.example:5000", "10.0.0.0/8"],
      proxies: { "http-proxy": "http://p.example:1" },
      builder: { gc: { enabled: true, defaultKeepStorage: "1GB" } },
      "shutdown-timeout": 3,
      ipv6: true,
      "fixed-cidr-v6": "2001:db8:7::/64",
      "default-gateway": "10.8.0.9",
      features: { containerd: true },
    },
  });
  equal(config.logLevel, "debug");
  deepEqual(config.hosts, ["unix:///f"]);
  deepEqual(config.mirroredRegistries, ["docker.io", "r.example:5000"]);
  deepEqual(config.mirrorListen, { host: "::1", port: 5000 });
  deepEqual(config.runtimes["other"], { path: "/opt/other", args: ["--x"] });
  deepEqual(config.runtimes["mine"], { path: "/opt/mine", args: [] });
  equal(config.containers.shmSizeBytes, 1 << 30);
  deepEqual(config.registries.insecure, ["r.example:5000", "10.0.0.0/8"]);
  equal(config.bridgeAddress6, "2001:db8:7::/64");
  equal(config.buildCacheLimitBytes, 1 << 30);
  equal(config.proxies["HTTP_PROXY"], "http://p.example:1");
  deepEqual(
    config.ignored.map(({ name }) => name),
    ["default-gateway"],
  );
});

test("what is wrong with the file is said in dockerd's words, which name it", async () => {
  await using dir = await openPrograms();
  const file = (why: string) => new RegExp(`^unable to configure the Docker daemon with file .*: ${why}`);
  const unknown = "the following directives don't match any configuration option: ";
  await dir.refuses({ file: { nope: 1, debug: true, other: {} } }, file(`${unknown}nope, other$`));
  await dir.refuses({ file: { host: ["unix:///x"] } }, file(`${unknown}host$`));
  await dir.refuses({ file: { validate: true } }, file(`${unknown}validate$`));
  await dir.refuses(
    { file: JSON.parse('{"__proto__": {"debug": true}}') as unknown },
    file(`${unknown}__proto__$`),
  );
  await dir.refuses(
    {
      file: { debug: true, labels: ["a=b"], "log-opts": { a: "b" } },
      flags: ["-D", "--label", "c=d", "--log-opt", "x=y"],
    },
    file(
      "the following directives are specified both as a flag and in the configuration file: " +
        String.raw`debug: \(from flag: true, from file: true\), labels: \(from flag: \[c=d\], from file: \[a=b\]\), ` +
        String.raw`log-opts: \(from flag: map\[x:y\], from file: map\[a:b\]\)$`,
    ),
  );
  await dir.refuses(
    { file: { debug: "x" } },
    file("json: cannot unmarshal string into Go struct field Config.debug of type bool$"),
  );
  await dir.refuses({ file: "[]" }, file("a JSON object was wanted$"));
  await dir.refuses({ file: '{"debug": tru' }, file(""));
  await dir.refuses({ file: { labels: ["x"] } }, file("bad attribute format: x$"));
  await dir.refuses(
    { file: { "max-concurrent-downloads": -4 } },
    file("invalid max concurrent downloads: -4$"),
  );
  await dir.refuses({ file: { proxies: { ftp: "x" } } }, /proxies.ftp/);
  await dir.refuses({ file: { builder: { nope: 1 } } }, /builder.nope/);
  await dir.refuses({ file: { hosts: ["tcp://:1"] } }, /without encryption/);
  match(
    String((await dir.config({ file: { hosts: ["tcp://:1"], tls: false } })).hosts),
    /tcp:\/\/127.0.0.1:1/,
  );
});

test("what is missing on this host is said", async () => {
  await using dir = await openPrograms();
  throws(await dir.command({ flags: ["--native-dir", join(dir.path, "none")] }), {
    kind: "unavailable",
    message: /make -C native/,
  });
});
