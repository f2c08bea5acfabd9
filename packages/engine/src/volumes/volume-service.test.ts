import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Fault, silentLogger } from "@hawser/base";
import { eventually, openTempDir } from "@hawser/base/testing";
import { EventBus } from "../events/event-bus.ts";
import { VolumeTable } from "../state/volume-table.ts";
import { matchPrunedVolumes, matchVolumes } from "./volume-filter.ts";
import { VolumePlugins } from "./volume-plugins.ts";
import type { VolumeRecord } from "./volume-record.ts";
import { VolumeService } from "./volume-service.ts";

interface Setup extends AsyncDisposable {
  readonly root: string;
  readonly volumes: VolumeService;
  /** Volume → containers. */
  readonly users: Map<string, readonly string[]>;
  /** What the next engine sees, when these containers are on record. */
  reopen(...containers: readonly string[]): Promise<VolumeService>;
}

async function setUp(): Promise<Setup> {
  const dir = await openTempDir();
  const users = new Map<string, readonly string[]>();
  const root = join(dir.path, "volumes");
  const table = new VolumeTable(join(dir.path, "db"));
  const reopen = (...containers: readonly string[]) =>
    VolumeService.open(
      {
        table,
        root,
        plugins: new VolumePlugins([]),
        events: new EventBus({ now: Date.now }),
        usedBy: (name) => users.get(name) ?? [],
        now: () => 1000,
        randomBytes: (size) => crypto.getRandomValues(new Uint8Array(size)),
        reach: () => {},
        log: silentLogger,
      },
      { hasContainer: (id) => containers.includes(id) },
    );
  return {
    root,
    users,
    volumes: await reopen(),
    reopen,
    async [Symbol.asyncDispose]() {
      table[Symbol.dispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

const names = (volumes: VolumeService) =>
  volumes
    .list()
    .map(({ name }) => name)
    .toSorted();

describe("VolumeService", () => {
  test("makes a volume once, and finds it again", async () => {
    await using at = await setUp();
    const made = at.volumes.create({ name: "one", labels: { a: "b" } });
    assert.equal(at.volumes.create({ name: "one", labels: { other: "" } }), made);
    assert.equal(at.volumes.mountpointOf(made), join(at.root, "one/_data"));
    assert.deepEqual((await at.reopen()).get("one"), made);
    assert.match(at.volumes.create({}).name, /^[0-9a-f]{64}$/);
  });

  test("keeps what is used or held, removes the rest with its data", async () => {
    await using at = await setUp();
    const record = at.volumes.create({ name: "kept" });
    await writeFile(join(at.volumes.mountpointOf(record), "f"), "x");
    at.users.set("kept", ["c1", "c2"]);
    await assert.rejects(at.volumes.remove("kept", { force: true }), {
      message: "remove kept: volume is in use - [c1, c2]",
    });
    at.users.clear();
    const hold = at.volumes.hold(record);
    await assert.rejects(at.volumes.remove("kept", { force: false }), (error) => Fault.is(error, "conflict"));
    hold[Symbol.dispose]();
    await at.volumes.remove("kept", { force: false });
    assert.deepEqual(names(at.volumes), []);
    await eventually(async () => (await readdir(at.root)).length === 0, { what: "the data is gone" });
    await at.volumes.remove("kept", { force: true });
    await assert.rejects(at.volumes.remove("kept", { force: false }), {
      message: "get kept: no such volume",
    });
  });

  test("after a death, volumes of containers that never came, or were going, are gone", async () => {
    await using at = await setUp();
    const [never, came, going] = [1, 2, 3].map((n) => at.volumes.create({}, `c${n}`));
    assert.ok(never && came && going);
    at.volumes.settle(going);
    at.volumes.bind(going.name, "c3");
    const named = at.volumes.create({ name: "named" }, "c1");
    const next = await at.reopen("c2");
    assert.deepEqual(names(next), [came.name, named.name].toSorted());
    assert.deepEqual(names(await at.reopen()), [came.name, named.name].toSorted());
  });

  test("after a death between folder and row nothing is lost, and nothing empty stays", async () => {
    await using at = await setUp();
    await mkdir(join(at.root, "empty/_data"), { recursive: true });
    await mkdir(join(at.root, "full/_data"), { recursive: true });
    await writeFile(join(at.root, "full/_data/f"), "x");
    await mkdir(join(at.root, ".going/_data"), { recursive: true });
    at.volumes.create({ name: "filling" });
    await mkdir(join(at.root, "filling/_filling"));
    assert.deepEqual(names(await at.reopen()), ["filling", "full"]);
    assert.deepEqual(await readdir(join(at.root, "filling")), ["_data"]);
    await eventually(async () => (await readdir(at.root)).length === 2, { what: "the rest is gone" });
  });

  test("refuses names that are no names, and mounts that it cannot make", async () => {
    await using at = await setUp();
    for (const name of ["a", "../x", ".x", "x/y", "x".repeat(256), "x\0y"]) {
      assert.throws(
        () => at.volumes.create({ name }),
        (error) => Fault.is(error, "invalid-argument"),
        name,
      );
    }
    const options = (more: Record<string, string>) => () => at.volumes.create({ name: "vv", options: more });
    assert.throws(options({ foo: "" }), { message: 'create vv: invalid option: "foo"' });
    assert.throws(options({ o: "bind" }), { message: 'create vv: missing required option: "device"' });
    assert.throws(options({ type: "nfs" }), { message: 'create vv: missing required option: "device"' });
    assert.throws(options({ device: "/x" }), { message: 'create vv: missing required option: "type"' });
    assert.throws(options({ size: "lots" }), { message: "create vv: invalid size: 'lots'" });
    assert.throws(options({ size: "1g" }), {
      message: "create vv: quota size requested but no quota support",
    });
    assert.throws(
      options({ type: "cifs", device: "//host:445/share" }),
      /port not allowed in CIFS device URL/,
    );
    options({ type: "none", o: "bind", device: "/srv" })();
  });
});

describe("filters of volumes", () => {
  const volume = (name: string, more: Partial<VolumeRecord> = {}): VolumeRecord => ({
    name,
    createdAtMs: 0,
    anonymous: false,
    ...more,
  });
  const all = [
    volume("used"),
    volume("idle", { labels: { k: "v" } }),
    volume("nameless", { anonymous: true }),
  ];
  const matching = (matches: (record: VolumeRecord) => boolean) =>
    all.filter(matches).map(({ name }) => name);
  const list = (filters: Record<string, readonly string[]>) =>
    matching(matchVolumes(new Map(Object.entries(filters)), ({ name }) => name === "used"));

  test("of a list", () => {
    assert.deepEqual(list({}), ["used", "idle", "nameless"]);
    assert.deepEqual(list({ dangling: ["1"] }), ["idle", "nameless"]);
    assert.deepEqual(list({ dangling: ["false"] }), ["used"]);
    assert.deepEqual(list({ name: ["le"] }), ["idle", "nameless"]);
    assert.deepEqual(list({ label: ["k=v"] }), ["idle"]);
    assert.deepEqual(list({ driver: ["other"] }), []);
    assert.throws(() => list({ dangling: ["maybe"] }), { message: "invalid filter 'dangling=[maybe]'" });
  });

  test("of a prune: nameless ones only, since API 1.42, unless all are wanted", () => {
    const prune = (filters: Record<string, readonly string[]>, onlyAnonymous: boolean) =>
      matching(matchPrunedVolumes(new Map(Object.entries(filters)), { onlyAnonymous }));
    assert.deepEqual(prune({}, true), ["nameless"]);
    assert.deepEqual(prune({}, false), ["used", "idle", "nameless"]);
    assert.deepEqual(prune({ all: ["true"] }, true), ["used", "idle", "nameless"]);
    assert.deepEqual(prune({ "label!": ["k"] }, false), ["used", "nameless"]);
  });
});
