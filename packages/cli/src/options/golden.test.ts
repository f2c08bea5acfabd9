import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { parseByteSize } from "./byte-size.ts";
import { effectiveCapabilities, normalizeCapability } from "./capability-option.ts";
import { parseGpus, parseThrottleBps, parseThrottleIops, parseWeightDevice } from "./device-option.ts";
import { parseEnvironmentValue, readPairFile } from "./environment-option.ts";
import { checkLabel, checkLink, parseDnsSearch, parseExtraHost, parseIpAddress } from "./host-option.ts";
import { parseMountOption, resolveMountSource } from "./mount-option.ts";
import { parseNetworkOption } from "./network-option.ts";
import { parsePortRange, parsePortSpec } from "./port-option.ts";
import { parseUlimit } from "./ulimit-option.ts";

/** Tables of the reference implementations' own tests; which rule a table states is told by its name and line. */
interface Table {
  readonly Test: string;
  readonly Line: number;
  readonly Cases: readonly unknown[];
}

function cases<T>(file: string, name: string, line?: number): readonly T[] {
  const text = readFileSync(join(import.meta.dirname, "testdata", `${file}.json`), "utf8");
  const tables = JSON.parse(text) as readonly Table[];
  const table = tables.find(({ Test, Line }) => Test === name && (line === undefined || Line === line));
  assert.ok(table !== undefined && table.Cases.length > 0, `${file} has ${name}`);
  return table.Cases as readonly T[];
}

function words(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const mount = (value: string) => resolveMountSource(parseMountOption(value), "/work");

test("normalizeCapability() and effectiveCapabilities() agree with docker", () => {
  for (const { in: given, out } of cases<{ in: string; out: string }>(
    "cli-opts",
    "TestNormalizeCapability",
  )) {
    assert.equal(normalizeCapability(given), out);
  }
  interface Sets {
    readonly add?: readonly string[];
    readonly drop?: readonly string[];
  }
  for (const { in: given, out } of cases<{ in: Sets; out: Sets }>("cli-opts", "TestEffectiveCapAddCapDrop")) {
    const { add, drop } = effectiveCapabilities(given.add ?? [], given.drop ?? []);
    assert.deepEqual({ add, drop }, { add: out.add ?? [], drop: out.drop ?? [] }, JSON.stringify(given));
  }
});

test("parseEnvironmentValue() agrees with docker", () => {
  for (const { value, expected, expectedErr } of cases<{
    value: string;
    expected?: unknown;
    expectedErr?: string;
  }>("cli-opts", "TestValidateEnv")) {
    if (expectedErr !== undefined)
      assert.equal(
        words(() => parseEnvironmentValue(value, {})),
        expectedErr,
      );
    else if (typeof expected === "string") assert.equal(parseEnvironmentValue(value, {}), expected);
    else assert.equal(parseEnvironmentValue(value, { PATH: "/bin" }), "PATH=/bin");
  }
});

test("parseGpus() accepts what docker accepts", () => {
  for (const value of cases<string>("cli-opts", "TestGpusOptAll")) {
    assert.deepEqual(
      { ...parseGpus(value), Options: null, Driver: "" },
      {
        Driver: "",
        Count: -1,
        DeviceIDs: null,
        Capabilities: [["gpu"]],
        Options: null,
      },
    );
  }
  for (const value of cases<string>("cli-opts", "TestGpusOpts", 37)) {
    const { Driver, Count, Capabilities, Options } = parseGpus(value);
    assert.deepEqual(
      { Driver, Count, Options },
      { Driver: "nvidia", Count: 1, Options: { foo: "bar", baz: "qux" } },
    );
    assert.deepEqual(Capabilities?.[0]?.toSorted(), ["compute", "gpu", "utility"]);
  }
});

test("parseExtraHost() agrees with docker", () => {
  for (const { input, expectedOut, expectedErr } of cases<{
    input: string;
    expectedOut?: string;
    expectedErr?: string;
  }>("cli-opts", "TestValidateExtraHosts")) {
    if (expectedErr !== undefined)
      assert.equal(
        words(() => parseExtraHost(input)),
        expectedErr,
        input,
      );
    else assert.equal(parseExtraHost(input), expectedOut ?? input);
  }
});

test("parseMountOption() agrees with docker", () => {
  for (const { bind, path } of cases<{ bind: string; path: string }>("cli-opts", "TestMountRelative")) {
    assert.equal(mount(bind).Source, path.startsWith("..") ? "/" : "/work");
  }
  for (const value of cases<string>("cli-opts", "TestMountOptSourceTargetAliases")) {
    assert.deepEqual(mount(value), { Type: "bind", Source: "/source", Target: "/target" });
  }
  for (const { value = "", expErr } of cases<{ value?: string; expErr: string }>(
    "cli-opts",
    "TestMountOptErrors",
  )) {
    assert.equal(
      words(() => mount(value)),
      expErr,
      value,
    );
  }
  interface Switch {
    readonly value: string;
    readonly exp?: boolean;
    readonly expErr?: string;
  }
  const check = (table: string, of: { readonly base: string; readonly read: (value: string) => unknown }) => {
    for (const { value, exp, expErr } of cases<Switch>("cli-opts", table)) {
      const whole = value === "" ? of.base : `${of.base},${value}`;
      if (expErr !== undefined)
        assert.equal(
          words(() => mount(whole)),
          expErr,
          value,
        );
      else assert.equal(of.read(whole) ?? false, exp ?? false, value);
    }
  };
  check("TestMountOptReadOnly", {
    base: "type=bind,target=/foo,source=/foo",
    read: (value) => mount(value).ReadOnly,
  });
  check("TestMountOptVolumeNoCopy", {
    base: "type=volume,target=/foo,source=foo",
    read: (value) => mount(value).VolumeOptions?.NoCopy,
  });
  check("TestMountOptSetBindCreateSrc", {
    base: "type=bind,target=/foo,source=/foo",
    read: (value) => mount(value).BindOptions?.CreateMountpoint,
  });
  for (const [at, value] of cases<string>("cli-opts", "TestMountOptSetTmpfsNoError").entries()) {
    const SizeBytes = 1 << 20;
    assert.deepEqual(mount(value).TmpfsOptions, { SizeBytes, Mode: 0o700 }, `${at}`);
  }
});

test("parseMountOption() reads the options of volumes as docker does", () => {
  interface Pair {
    readonly key: string;
    readonly value: string;
  }
  interface Expected {
    readonly VolumeOptions?: {
      readonly Labels?: readonly Pair[];
      readonly DriverConfig?: { readonly Name?: string; readonly Options?: readonly Pair[] };
    };
  }
  const record = (pairs: readonly Pair[] = []) =>
    Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
  for (const { value, exp } of cases<{ value: string; exp: Expected }>(
    "cli-opts",
    "TestMountOptVolumeOptions",
  )) {
    const options = mount(value).VolumeOptions;
    const wanted = exp.VolumeOptions;
    assert.deepEqual(options?.Labels ?? {}, record(wanted?.Labels), value);
    assert.equal(options?.DriverConfig?.Name, wanted?.DriverConfig?.Name, value);
    assert.deepEqual(options?.DriverConfig?.Options ?? {}, record(wanted?.DriverConfig?.Options), value);
  }
});

test("parseNetworkOption() agrees with docker", () => {
  interface Expected {
    readonly Target: string;
    readonly Aliases?: readonly string[];
    readonly DriverOpts?: readonly { readonly key: string; readonly value: string }[];
    readonly MacAddress?: string;
    readonly GwPriority?: number;
  }
  for (const { value, expected } of cases<{ value: string; expected: readonly Expected[] }>(
    "cli-opts",
    "TestNetworkOptAdvancedSyntax",
  )) {
    const option = parseNetworkOption(value);
    const [wanted] = expected;
    assert.equal(option.target, wanted?.Target);
    assert.deepEqual(option.aliases, wanted?.Aliases ?? []);
    const driverOptions = Object.fromEntries(
      (wanted?.DriverOpts ?? []).map((pair) => [pair.key, pair.value]),
    );
    assert.deepEqual(option.driverOptions, driverOptions);
    assert.equal(option.macAddress, wanted?.MacAddress);
    assert.equal(option.gatewayPriority, wanted?.GwPriority);
  }
  for (const { value, expectedError } of cases<{ value: string; expectedError: string }>(
    "cli-opts",
    "TestNetworkOptAdvancedSyntaxInvalid",
  )) {
    assert.ok(words(() => parseNetworkOption(value))?.includes(expectedError), value);
  }
});

test("parseIpAddress(), parseDnsSearch(), checkLabel() and checkLink() agree with docker", () => {
  for (const { input, expectedOut, expectedErr } of cases<{
    input: string;
    expectedOut?: string;
    expectedErr?: string;
  }>("cli-opts", "TestValidateIPAddress")) {
    if (expectedErr !== undefined)
      assert.equal(
        words(() => parseIpAddress(input)),
        expectedErr,
      );
    else assert.equal(parseIpAddress(input), expectedOut);
  }
  for (const value of cases<string>("cli-opts", "TestValidateDNSSearch", 187)) parseDnsSearch(value);
  for (const value of cases<string>("cli-opts", "TestValidateDNSSearch", 211)) {
    assert.equal(
      words(() => parseDnsSearch(value)),
      `${value} is not a valid domain`,
    );
  }
  for (const { value = "", expectedErr } of cases<{ value?: string; expectedErr?: string }>(
    "cli-opts",
    "TestValidateLabel",
  )) {
    assert.equal(
      words(() => checkLabel(value)),
      expectedErr,
      value,
    );
  }
  for (const value of cases<string>("cli-opts", "TestValidateLink", 359)) checkLink(value);
  for (const { key, value } of cases<{ key: string; value: string }>("cli-opts", "TestValidateLink", 365)) {
    assert.equal(
      words(() => checkLink(key)),
      value,
    );
  }
});

test("parseThrottleBps(), parseThrottleIops() and parseWeightDevice() agree with docker", () => {
  interface Device {
    readonly input: string;
    readonly expectedPath: string;
    readonly expectedRate?: number;
    readonly expectedWeight?: number;
    readonly expectedErr?: string;
  }
  const check = (table: string, parse: (text: string) => object) => {
    for (const { input, expectedPath, expectedRate, expectedWeight, expectedErr } of cases<Device>(
      "cli-opts",
      table,
    )) {
      if (expectedErr !== undefined) {
        assert.ok(words(() => parse(input))?.startsWith(expectedErr), input);
        continue;
      }
      const amount = expectedRate === undefined ? { Weight: expectedWeight } : { Rate: expectedRate };
      assert.deepEqual(parse(input), { Path: expectedPath, ...amount });
    }
  };
  check("TestValidateThrottleBpsDevice", parseThrottleBps);
  check("TestValidateThrottleIOpsDevice", parseThrottleIops);
  check("TestValidateWeightDevice", parseWeightDevice);
});

test("readPairFile() reads environment files as docker does", async () => {
  await using dir = await openTempDir();
  const first = join(dir.path, "first");
  writeFileSync(first, "\ufeffZ1=z\r\n# comment\n\n  EMPTY_VAR=\nFROM_ENV\nNO_SUCH_ENV\n");
  const lookUp = (name: string) => (name === "FROM_ENV" ? `${name}=from-env` : undefined);
  assert.deepEqual(readPairFile(first, { lookUp, workingDir: "/" }), [
    "Z1=z",
    "EMPTY_VAR=",
    "FROM_ENV=from-env",
  ]);
  for (const [content, why] of [
    ["A B=c", "poorly formatted environment: variable 'A B' contains whitespaces"],
    ["=x", "poorly formatted environment: no variable name on line '=x'"],
    [Buffer.from([0x41, 0xff]), `env file ${first} contains invalid utf8 bytes at line 1: "Aÿ"`],
  ] as const) {
    writeFileSync(first, content);
    assert.equal(
      words(() => readPairFile(first, { lookUp, workingDir: "/" })),
      why,
    );
  }
  assert.equal(
    words(() => readPairFile("/no/such", { lookUp, workingDir: "/" })),
    "open /no/such: no such file or directory",
  );
});

test("parseUlimit() and parseByteSize() agree with go-units", () => {
  for (const { in: text, expected } of cases<{ in: string; expected: object }>(
    "go-units",
    "TestParseUlimitUnlimited",
  )) {
    assert.deepEqual(parseUlimit(text), expected);
  }
  const sizes = cases<string>("go-units", "BenchmarkParseSize").map((text) => {
    const refusal = words(() => parseByteSize(text));
    return refusal ?? parseByteSize(text);
  });
  const [kib, mib, gib, tib, pib] = [2 ** 10, 2 ** 20, 2 ** 30, 2 ** 40, 2 ** 50];
  assert.deepEqual(sizes, [
    "invalid size: ''",
    32,
    32,
    32,
    32 * kib,
    32.5 * kib,
    32 * kib,
    32 * kib,
    Math.trunc(32.8 * mib),
    Math.trunc(32.9 * gib),
    Math.trunc(32.777 * tib),
    32 * pib,
    Math.trunc(0.3 * mib),
    "invalid size: '-1'",
  ]);
});

test("parsePortSpec() and parsePortRange() agree with go-connections", () => {
  for (const { input = "", expBegin = 0, expEnd = 0, expErr } of cases<{
    input?: string;
    expBegin?: number;
    expEnd?: number;
    expErr?: string;
  }>("nat", "TestParsePortRange")) {
    if (expErr !== undefined)
      assert.equal(
        words(() => parsePortRange(input)),
        expErr,
      );
    else assert.deepEqual(parsePortRange(input), { begin: expBegin, end: expEnd });
  }
  for (const { spec, expError } of cases<{ spec: string; expError: string }>(
    "nat",
    "TestParsePortSpecEmptyContainerPort",
  )) {
    assert.equal(
      words(() => parsePortSpec(spec)),
      expError,
    );
  }
  interface Expected {
    readonly Port: string;
    readonly Binding: { readonly HostIP: string; readonly HostPort: string };
  }
  const plain = (spec: string) =>
    parsePortSpec(spec).map(({ port, binding }) => ({
      Port: port,
      Binding: { HostIP: binding.HostIp, HostPort: binding.HostPort },
    }));
  for (const { spec, expected } of cases<{ spec: string; expected: readonly Expected[] }>(
    "nat",
    "TestPartPortSpecIPV6",
  )) {
    assert.deepEqual(plain(spec), expected);
  }
  assert.deepEqual(plain("0.0.0.0:1234-1235:3333-3334/tcp"), cases<Expected>("nat", "TestParsePortSpecFull"));
});
