import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { eventually, openTempDir } from "@hawser/base/testing";
import { describeBlobStorage, openS3ContractStorage } from "@hawser/registry/server/testing";
import {
  type Ask,
  ask,
  digestOf,
  openTestRegistry,
  pushBlob,
  pushImage,
} from "../conformance/distribution/kit-registry.ts";
import { mainOf } from "./kit-cli.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { openFaultProxy } from "./kit-fault-proxy.ts";
import { runCommand, runCommandOk } from "./kit-process.ts";
import { startRegistry } from "./kit-registry-program.ts";
import { type S3Server, startS3 } from "./kit-s3.ts";
import { againstDockerd } from "./kit-target.ts";

/** A registry whose blobs are in a bucket of a real S3 server. */
describe("a bucket", { skip: againstDockerd }, () => {
  let s3: S3Server;
  const resources = new AsyncDisposableStack();
  before(async () => {
    s3 = resources.use(await startS3());
  });
  after(() => resources.disposeAsync());

  let buckets = 0;
  const makeBucket = async () => {
    const bucket = `bucket-${(buckets += 1)}`;
    await s3.makeBucket(bucket);
    return bucket;
  };

  /** `hawser-registry` with its folder in `dir`. */
  const start = async (
    dir: string,
    where: { readonly bucket: string } & Readonly<Record<string, unknown>>,
    flags: readonly string[] = [],
  ) => {
    const config = join(dir, "config.json");
    const { endpoint, credentials } = s3;
    await writeFile(config, JSON.stringify({ s3: { endpoint, ...credentials, ...where } }));
    return await startRegistry(dir, ["--config", config, ...flags]);
  };

  const collect = async (dir: string) => {
    const flags = ["--config", join(dir, "config.json"), "--data", join(dir, "registry")];
    const argv = [
      process.execPath,
      mainOf("registry"),
      "garbage-collect",
      ...flags,
      "--grace-hours",
      "0",
      "--untagged",
    ];
    const { exitCode, stderr } = await runCommand(argv);
    assert.equal(exitCode, 0, stderr);
    const [, blobs, bytes] = /blobs=(\d+) bytes=(\d+)/.exec(stderr) ?? [];
    return { blobs: Number(blobs), bytes: Number(bytes) };
  };

  describeBlobStorage("blobs in a bucket", async () =>
    openS3ContractStorage({
      bucket: await makeBucket(),
      prefix: "some/where/",
      endpoint: s3.endpoint,
      credentials: s3.credentials,
    }),
  );

  test("keeps what an engine pushes; a registry with an empty folder takes it over", async () => {
    await using engine: TestEngine = await openEngine();
    const ok = async (...args: string[]) => {
      const { exitCode, stdout, stderr } = await engine.docker(args);
      assert.equal(exitCode, 0, `${args.join(" ")}\n${stdout}\n${stderr}`);
      return stdout.trim();
    };
    const bucket = await makeBucket();
    await using one = await openTempDir("hawser-registry-");
    await using two = await openTempDir("hawser-registry-");
    let name: string;
    let id: string;
    {
      await using first = await start(one.path, { bucket });
      name = `${first.host}/team/app:1`;
      await ok("pull", "busybox");
      await ok("tag", "busybox", name);
      id = await ok("inspect", "-f", "{{.Id}}", name);
      await ok("push", name);
      await ok("rmi", name);
      await ok("pull", name);
      await ok("rmi", name);
      // Another client: by digest, all platforms, as it is.
      const copy = join(one.path, "copy");
      await runCommandOk([
        "skopeo",
        "copy",
        "--all",
        "--src-tls-verify=false",
        `docker://${name}`,
        `dir:${copy}`,
      ]);
      const to = `docker://${first.host}/team/by-skopeo:1`;
      await runCommandOk(["skopeo", "copy", "--all", "--dest-tls-verify=false", `dir:${copy}`, to]);
      assert.deepEqual(await readdir(join(one.path, "registry", "uploads")), []);
    }
    await using second = await start(two.path, { bucket });
    assert.match(second.program.output(), /bucket taken over/);
    for (const repository of ["team/app", "team/by-skopeo"]) {
      const there = `${second.host}/${repository}:1`;
      await ok("pull", there);
      assert.equal(await ok("inspect", "-f", "{{.Id}}", there), id);
      await ok("rmi", there);
    }
    const catalog = await ask(second.url, "GET", "/v2/_catalog");
    assert.deepEqual(JSON.parse(catalog.body.toString()), { repositories: ["team/app", "team/by-skopeo"] });

    // Whose it was is refused, and does nothing to it.
    await assert.rejects(start(one.path, { bucket }), /has taken it over/);
  });

  test("that another registry has taken over is left alone by the one that still runs", async () => {
    const bucket = await makeBucket();
    await using one = await openTempDir("hawser-registry-");
    await using two = await openTempDir("hawser-registry-");
    await using first = await start(one.path, { bucket });
    await pushImage(askerOf(first), "team/app", { reference: "1" });
    await using _second = await start(two.path, { bucket });
    await eventually(
      async () => {
        const { status } = await pushBlobStatus(first.url, "team/app", randomBytes(10));
        return status === 503;
      },
      { deadlineMs: 20_000, what: "the first one sees that it has the bucket no more" },
    );
    assert.match(first.program.output(), /has taken it over/);
  });

  test("has nothing of a push that died between parts, and the next push succeeds", async () => {
    const bucket = await makeBucket();
    await using dir = await openTempDir("hawser-registry-");
    await using proxy = await openFaultProxy(s3.endpoint);
    let parts = 0;
    const endpoint = `http://${proxy.host}`;
    let registry = await start(dir.path, { bucket, endpoint });
    proxy.fault = ({ method, url = "" }) =>
      method === "PUT" && url.includes("partNumber=") && ++parts === 2
        ? { kind: "after", act: () => registry.program.kill("SIGKILL") }
        : undefined;
    const bytes = randomBytes(40 << 20);
    await assert.rejects(pushBlobStatus(registry.url, "team/app", bytes));
    await eventually(() => registry.program.hasEnded(), { what: "the registry is killed" });
    const key = `blobs/sha256/${digestOf(bytes).slice(7, 9)}/${digestOf(bytes).slice(7)}`;
    assert.deepEqual(await s3.uploads(bucket), [key]);
    proxy.fault = undefined;
    registry = await start(dir.path, { bucket, endpoint });
    try {
      assert.deepEqual(await s3.uploads(bucket), [], "the parts are given up");
      assert.ok(!(await s3.keys(bucket)).includes(key));
      const { status } = await pushBlobStatus(registry.url, "team/app", bytes);
      assert.equal(status, 201);
      const blob = await ask(registry.url, "GET", `/v2/team/app/blobs/${digestOf(bytes)}`, {
        headers: { Range: "bytes=20000000-20000009" },
      });
      assert.deepEqual([blob.status, blob.body], [206, bytes.subarray(20_000_000, 20_000_010)]);
    } finally {
      await registry[Symbol.asyncDispose]();
    }
  });

  test("that refuses a part gets the others back; the client is told that storage is at fault", async () => {
    const bucket = await makeBucket();
    await using dir = await openTempDir("hawser-registry-");
    await using proxy = await openFaultProxy(s3.endpoint);
    await using registry = await start(dir.path, { bucket, endpoint: `http://${proxy.host}` });
    proxy.fault = ({ method, url = "" }) =>
      method === "PUT" && url.includes("partNumber=2") ? { kind: "before" } : undefined;
    const bytes = randomBytes(40 << 20);
    const { status, body } = await pushBlobStatus(registry.url, "team/app", bytes);
    assert.equal(status, 503);
    assert.match(body.toString(), /the registry's storage cannot be used/);
    assert.match(registry.program.output(), /does not answer/);
    assert.deepEqual(await s3.uploads(bucket), []);
    assert.deepEqual(await readdir(join(dir.path, "registry", "uploads")), []);
    proxy.fault = undefined;
    assert.equal((await pushBlobStatus(registry.url, "team/app", bytes)).status, 201);
  });

  test("whose answers break off in the middle is read on where it was", async () => {
    const bucket = await makeBucket();
    await using dir = await openTempDir("hawser-registry-");
    await using proxy = await openFaultProxy(s3.endpoint);
    await using registry = await start(dir.path, { bucket, endpoint: `http://${proxy.host}` });
    const bytes = randomBytes(8 << 20);
    await pushBlobStatus(registry.url, "team/app", bytes);
    let cuts = 0;
    proxy.fault = ({ method, url = "" }) =>
      method === "GET" && url.includes("/blobs/") && cuts++ < 2 ? { kind: "reset" } : undefined;
    const blob = await ask(registry.url, "GET", `/v2/team/app/blobs/${digestOf(bytes)}`);
    assert.equal(digestOf(blob.body), digestOf(bytes));
    assert.equal(cuts, 3);
  });

  test("has what the index says although the registry died before it was written down", async () => {
    const bucket = await makeBucket();
    await using dir = await openTempDir("hawser-registry-");
    await using two = await openTempDir("hawser-registry-");
    await using proxy = await openFaultProxy(s3.endpoint);
    await using registry = await start(dir.path, { bucket, endpoint: `http://${proxy.host}` });
    proxy.fault = ({ method, url = "" }) =>
      method === "PUT" && url.includes("/index/tags/")
        ? { kind: "before", act: () => registry.program.kill("SIGKILL") }
        : undefined;
    await assert.rejects(pushImage(askerOf(registry), "team/app", { reference: "1" }));
    proxy.fault = undefined;
    await (await start(dir.path, { bucket, endpoint: `http://${proxy.host}` }))[Symbol.asyncDispose]();
    await using after = await start(two.path, { bucket });
    assert.equal((await ask(after.url, "GET", "/v2/team/app/manifests/1")).status, 200);
  });

  test("is collected exactly: records first, then blobs; what others put there stays", async () => {
    const bucket = await makeBucket();
    await using dir = await openTempDir("hawser-registry-");
    const foreign = ["blobs/sha256/zz/note", "elsewhere/x"];
    for (const key of foreign) await s3.put(bucket, key, "not a registry's");
    {
      await using registry = await start(dir.path, { bucket });
      const client = askerOf(registry);
      await pushBlob(client, "team/app", randomBytes(1234));
      await pushImage(client, "team/app", { reference: "kept", layer: "a kept layer" });
      const digest = digestOf(await pushImage(client, "team/gone", { reference: "gone" }));
      assert.equal((await ask(registry.url, "DELETE", `/v2/team/gone/manifests/${digest}`)).status, 202);
    }
    const before = await s3.keys(bucket);
    assert.ok(before.some((key) => key.startsWith("index/links/team/gone/")));
    const collected = await collect(dir.path);
    const left = await s3.keys(bucket);
    const gone = before.filter((key) => !left.includes(key) && key.startsWith("blobs/"));
    assert.equal(collected.blobs, gone.length);
    assert.ok(collected.bytes >= 1234);
    assert.ok(!left.some((key) => key.includes("team/gone")), left.join("\n"));
    for (const key of foreign) assert.ok(left.includes(key), key);
    await using registry = await start(dir.path, { bucket });
    assert.equal((await ask(registry.url, "GET", "/v2/team/app/manifests/kept")).status, 200);
  });

  describe("is collected beside pushes", () => {
    /** A registry to which whatever is in its bucket is old, also what has just come and nobody has yet: the bucket's clock is behind. */
    const openOld = async (endpoint: string) => {
      const bucket = await makeBucket();
      const registry = await openTestRegistry({ s3: { bucket, endpoint, credentials: s3.credentials } });
      const { storage } = registry.registry?.service ?? assert.fail();
      const list = storage.list.bind(storage);
      storage.list = async function* () {
        for await (const blob of list()) yield { ...blob, storedMs: 0 };
      };
      const collect = async () =>
        await registry.registry?.collectGarbage({ graceMs: 3_600_000, untagged: true, dryRun: false });
      return Object.assign(registry, { collect });
    };
    const bytes = "a blob that is pushed again";
    const path = `/v2/team/app/blobs/${digestOf(bytes)}`;
    /** So long that what does not wait is through before. */
    const patienceMs = 1500;

    test("and what is being removed is not what a push was told to be there", async () => {
      await using proxy = await openFaultProxy(s3.endpoint);
      await using registry = await openOld(`http://${proxy.host}`);
      await pushBlob(registry, "team/app", bytes);
      assert.equal((await registry.ask("DELETE", path)).status, 202);
      let pushing: Promise<unknown> | undefined;
      proxy.fault = ({ method, url = "" }) => {
        if (method !== "DELETE" || !url.includes("/blobs/") || pushing !== undefined) return undefined;
        const act = async () => {
          pushing = pushBlob(registry, "team/app", bytes);
          await Promise.race([pushing, setTimeout(patienceMs)]);
        };
        return { kind: "late", act };
      };
      assert.equal((await registry.collect())?.blobs, 1);
      await (pushing ?? assert.fail("nothing was removed"));
      assert.equal((await registry.ask("GET", path)).body.toString(), bytes);
    });

    test("and what has just come is not removed before its repository has it", async () => {
      await using proxy = await openFaultProxy(s3.endpoint);
      await using registry = await openOld(`http://${proxy.host}`);
      let collecting: ReturnType<typeof registry.collect> | undefined;
      proxy.fault = ({ method, url = "" }) => {
        if (method !== "PUT" || !url.includes("/blobs/") || collecting !== undefined) return undefined;
        const act = async () => {
          collecting = registry.collect();
          await Promise.race([collecting, setTimeout(patienceMs)]);
        };
        return { kind: "held", act };
      };
      await pushBlob(registry, "team/app", bytes);
      assert.equal((await (collecting ?? assert.fail("nothing was put there")))?.blobs, 0);
      assert.equal((await registry.ask("GET", path)).body.toString(), bytes);
    });
  });

  test("that cannot be used is told with its reason at the start", async () => {
    const bucket = await makeBucket();
    const cases: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
      [
        { secretAccessKey: "another" },
        /bucket-\d+ at http.*: the credentials are refused \(SignatureDoesNotMatch/,
      ],
      [{ accessKeyId: "test:nobody" }, /the credentials are refused/],
      [{ accessKeyId: "test:stranger" }, /the credentials are refused \(AccessDenied/],
      [{ bucket: "no-such-bucket" }, /no-such-bucket at http.*: there is no such bucket/],
      [{ endpoint: "http://127.0.0.1:1" }, /it does not answer \(ECONNREFUSED/],
      [{ bucket: "" }, /"s3" of the configuration wants a bucket/],
      [{ buckets: "x" }, /"s3" of the configuration has an unknown key "buckets"/],
      [{ endpoint: "s3.example.org" }, /"endpoint" of "s3" is no address/],
    ];
    for (const [wrong, words] of cases) {
      await using dir = await openTempDir("hawser-registry-");
      await assert.rejects(start(dir.path, { bucket, ...wrong }), words);
    }
  });

  test("and a folder of files are not mixed up", async () => {
    const bucket = await makeBucket();
    await using files = await openTempDir("hawser-registry-");
    {
      await using registry = await startRegistry(files.path);
      await pushImage(askerOf(registry), "team/app", { reference: "1" });
    }
    await assert.rejects(
      start(files.path, { bucket }),
      /its blobs are files; a bucket wants an empty folder/,
    );
    await using dir = await openTempDir("hawser-registry-");
    await (await start(dir.path, { bucket }))[Symbol.asyncDispose]();
    await assert.rejects(startRegistry(dir.path), /its blobs are in the bucket/);
    const other = await makeBucket();
    await assert.rejects(start(dir.path, { bucket: other }), /its blobs are in the bucket .*, not in/);
    await rm(join(dir.path, "registry"), { recursive: true });
    await mkdir(join(dir.path, "registry"));
    await (await start(dir.path, { bucket }))[Symbol.asyncDispose]();
  });
});

async function pushBlobStatus(url: string, repository: string, body: Uint8Array) {
  const begun = await ask(url, "POST", `/v2/${repository}/blobs/uploads/`);
  return await ask(url, "PUT", `${String(begun.headers["location"])}?digest=${digestOf(body)}`, { body });
}

function askerOf({ url }: { readonly url: string }) {
  return { ask: (method: string, path: string, what?: Ask) => ask(url, method, path, what) };
}
