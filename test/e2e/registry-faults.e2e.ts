import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { openFakeRegistry } from "@hawser/registry/testing";
import { digestOf, openTestRegistry } from "../conformance/distribution/kit-registry.ts";
import { mainOf } from "./kit-cli.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { openFaultProxy, type ProxyFault } from "./kit-fault-proxy.ts";
import { runCommandOk } from "./kit-process.ts";
import { layerOf, publishImage } from "./kit-registry.ts";
import { type RegistryProgram, startRegistry } from "./kit-registry-program.ts";
import { againstDockerd } from "./kit-target.ts";

/** Our engine and our registry as programs, and a proxy between them that does wrong. */
describe("between engine and registry", { skip: againstDockerd }, () => {
  let engine: TestEngine;
  const resources = new AsyncDisposableStack();
  before(async () => {
    engine = resources.use(await openEngine());
  });
  after(() => resources.disposeAsync());

  const ok = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await engine.docker(args);
    assert.equal(exitCode, 0, `${args.join(" ")}\n${stdout}\n${stderr}`);
    return stdout.trim();
  };

  /** An image of one layer of noise. Returns its id. */
  const makeImage = async (name: string, bytes = 4 << 20): Promise<string> => {
    await using dir = await openTempDir("hawser-registry-image-");
    const path = join(dir.path, "layer.tar");
    await writeFile(path, await layerOf({ noise: randomBytes(bytes) }));
    await ok("import", path, name);
    return await ok("inspect", "-f", "{{.Id}}", name);
  };

  const assertNothingOnItsWay = async () => {
    const left = async () =>
      (
        await Promise.all(
          ["content/ingest", "layers/ingest"].map((folder) => readdir(join(engine.dataRoot, folder))),
        )
      ).flat();
    await eventually(async () => (await left()).length === 0, {
      deadlineMs: 20_000,
      what: "nothing is left on its way",
    });
  };

  /** What a registry keeps once nobody pushes any more: blobs that a manifest needs, and nothing else. */
  const assertClean = async (data: string) => {
    await runCommandOk([
      process.execPath,
      mainOf("registry"),
      "garbage-collect",
      "--data",
      data,
      "--grace-hours",
      "0",
      "--untagged",
    ]);
    assert.deepEqual(await readdir(join(data, "uploads")), []);
    const files = (await readdir(join(data, "blobs"), { recursive: true, withFileTypes: true })).filter(
      (entry) => entry.isFile(),
    );
    assert.equal(files.length, 3, "configuration, layer, manifest");
  };

  for (const kind of ["cut", "reset", "corrupt"] as const) {
    test(`answers that are ${kind} do no harm to a pull`, async () => {
      await using dir = await openTempDir("hawser-registry-");
      await using registry = await startRegistry(dir.path);
      await using proxy = await openFaultProxy(registry.url);
      const name = `${proxy.host}/team/app:${kind}`;
      const id = await makeImage(name);
      await ok("push", name);
      await ok("rmi", name);
      // Each answer with content is wrong once.
      const done = new Set<string>();
      proxy.fault = ({ method, url = "" }): ProxyFault | undefined => {
        if (method !== "GET" || !/\/(blobs|manifests)\//.test(url) || done.has(url)) return undefined;
        done.add(url);
        return { kind };
      };
      const tries: string[] = [];
      for (;;) {
        const { exitCode, stderr } = await engine.docker(["pull", name]);
        if (exitCode === 0) break;
        tries.push(stderr);
        await assertNothingOnItsWay();
        assert.ok(tries.length <= 3, tries.join("\n"));
      }
      // What was cut goes on where it was; what is another's bytes is refused, and nothing of it stays.
      if (kind === "corrupt") assert.match(tries.at(-1) ?? "", /verification failed|damaged/);
      assert.equal(await ok("inspect", "-f", "{{.Id}}", name), id);
      await ok("rmi", name);
      await assertNothingOnItsWay();
    });
  }

  describe("answers that stall", () => {
    let impatient: TestEngine;
    before(async () => {
      impatient = resources.use(await openEngine({ flags: ["--registry-idle-timeout", "2"] }));
    });
    const okSoon = async (...args: string[]) => {
      const { exitCode, stdout, stderr } = await impatient.docker(args);
      assert.equal(exitCode, 0, `${args.join(" ")}\n${stdout}\n${stderr}`);
      return stdout.trim();
    };

    test("are gone on with where they ended, by themselves", async () => {
      await using dir = await openTempDir("hawser-registry-");
      await using registry = await startRegistry(dir.path);
      await using proxy = await openFaultProxy(registry.url);
      const name = `${proxy.host}/team/app:stall`;
      const id = await makeImage(name);
      await ok("push", name);
      await ok("rmi", name);
      const ranges: (string | undefined)[] = [];
      const done = new Set<string>();
      proxy.fault = ({ method, url = "", headers }): ProxyFault | undefined => {
        if (method !== "GET" || !/\/(blobs|manifests)\//.test(url)) return undefined;
        if (done.has(url)) {
          ranges.push(headers.range);
          return undefined;
        }
        done.add(url);
        return { kind: "stall" };
      };
      await okSoon("pull", name);
      assert.equal(await okSoon("inspect", "-f", "{{.Id}}", name), id);
      assert.equal(done.size, 3, "manifest, configuration, layer");
      assert.equal(ranges.filter((range) => /^bytes=[1-9]\d*-$/.test(range ?? "")).length, 2);
      await okSoon("rmi", name);
    });

    for (const at of [/^POST /, /^PUT .*\/blobs\/uploads/, /^PUT .*\/manifests\//]) {
      test(`end a push that is never answered at ${at.source}, or are asked for again; the next one succeeds`, async () => {
        await using dir = await openTempDir("hawser-registry-");
        await using registry = await startRegistry(dir.path);
        await using proxy = await openFaultProxy(registry.url);
        const name = `${proxy.host}/team/app:silent`;
        const id = await makeImage(name);
        await okSoon("load", "-i", await saved(name, dir.path));
        let silences = 0;
        proxy.fault = ({ method, url }) =>
          at.test(`${method} ${url}`) && silences++ === 0 ? { kind: "silent" } : undefined;
        const { exitCode, stderr } = await impatient.docker(["push", name]);
        assert.ok(silences > 0);
        if (exitCode !== 0) assert.match(stderr, /nothing came for 2 s/);
        await okSoon("push", name);
        await okSoon("rmi", name);
        await okSoon("pull", name);
        assert.equal(await okSoon("inspect", "-f", "{{.Id}}", name), id);
        await okSoon("rmi", name);
        await ok("rmi", name);
      });
    }

    const saved = async (name: string, folder: string) => {
      const path = join(folder, "image.tar");
      await ok("save", "-o", path, name);
      return path;
    };
  });

  const steps: readonly {
    readonly when: string;
    readonly at: RegExp;
    readonly kind: ProxyFault["kind"];
    readonly command: "push" | "pull";
  }[] = [
    { when: "an upload is asked for", at: /^POST /, kind: "before", command: "push" },
    { when: "an upload has begun", at: /^POST /, kind: "after", command: "push" },
    {
      when: "half of a layer is there",
      at: /^(PUT|PATCH) .*\/blobs\/uploads/,
      kind: "upload",
      command: "push",
    },
    { when: "a layer is there", at: /^PUT .*\/blobs\/uploads/, kind: "after", command: "push" },
    { when: "the manifest comes", at: /^PUT .*\/manifests\//, kind: "before", command: "push" },
    { when: "half of the manifest is there", at: /^PUT .*\/manifests\//, kind: "upload", command: "push" },
    { when: "the manifest is there", at: /^PUT .*\/manifests\//, kind: "after", command: "push" },
    { when: "the manifest is wanted", at: /^GET .*\/manifests\//, kind: "before", command: "pull" },
    { when: "half of a layer is given", at: /^GET .*\/blobs\//, kind: "reset", command: "pull" },
  ];
  for (const [index, { when, at, kind, command }] of steps.entries()) {
    test(`a registry that is killed when ${when} is right when it is back`, async () => {
      await using dir = await openTempDir("hawser-registry-");
      let registry: RegistryProgram = await startRegistry(dir.path);
      await using proxy = await openFaultProxy(registry.url);
      const name = `${proxy.host}/team/app:step-${index}`;
      const id = await makeImage(name);
      const restart = async () => {
        await registry.program.kill("SIGKILL");
        registry = await startRegistry(dir.path);
        proxy.target = registry.url;
      };
      try {
        if (command === "pull") {
          await ok("push", name);
          await ok("rmi", name);
        }
        let kills = 0;
        proxy.fault = ({ method, url }) => {
          if (kills > 0 || !at.test(`${method} ${url}`)) return undefined;
          kills += 1;
          if (kind === "reset") void restart();
          return { kind, act: restart };
        };
        // The client may try again by itself, and get through.
        await engine.docker([command, name]);
        assert.equal(kills, 1);
        await eventually(() => proxy.target === registry.url && !registry.program.hasEnded(), {
          what: "the registry is back",
        });
        proxy.fault = undefined;
        await ok(command, name);
        await ok("rmi", name);
        await ok("pull", name);
        assert.equal(await ok("inspect", "-f", "{{.Id}}", name), id);
        await ok("rmi", name);
      } finally {
        await registry[Symbol.asyncDispose]();
      }
      await assertClean(join(dir.path, "registry"));
    });
  }

  const lies: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
    "other bytes": (bytes) => Buffer.from(bytes).fill(7, bytes.length >> 1),
    "more bytes": (bytes) => Buffer.concat([bytes, Buffer.alloc(1000)]),
    "fewer bytes": (bytes) => bytes.subarray(0, bytes.length >> 1),
    "nothing at all": () => Buffer.alloc(0),
  };
  for (const [what, lie] of Object.entries(lies)) {
    for (const part of ["layer", "configuration"] as const) {
      test(`a registry that gives ${what} for a ${part} is not believed`, async () => {
        await using own = await openFakeRegistry();
        const published = publishImage(own, {
          repository: "team/app",
          tag: "v1",
          plainLayers: [await layerOf({ noise: randomBytes(1 << 20), padding: Buffer.alloc(100_000) })],
        });
        const digest = (part === "layer" ? published.layers[0] : published.imageId) ?? assert.fail();
        const bytes = lie(own.blobs.get(digest) ?? assert.fail());
        // Everything about the answer is right but that it is another blob.
        own.intercept = (request, response) => {
          if (request.url?.endsWith(`/blobs/${digest}`) !== true) return false;
          response.writeHead(200, { "content-length": bytes.length });
          response.end(bytes);
          return true;
        };
        const name = `${own.address}/team/app:v1`;
        const { exitCode } = await engine.docker(["pull", name]);
        assert.notEqual(exitCode, 0);
        assert.notEqual((await engine.docker(["inspect", name])).exitCode, 0);
        await assertNothingOnItsWay();
        own.intercept = undefined;
        await ok("pull", name);
        assert.equal(await ok("inspect", "-f", "{{.Id}}", name), published.imageId);
        await ok("rmi", name);
        await assertNothingOnItsWay();
      });
    }
  }

  test("many pulls of one image at once are one download", async () => {
    await using dir = await openTempDir("hawser-registry-");
    await using registry = await startRegistry(dir.path);
    await using proxy = await openFaultProxy(registry.url);
    const name = `${proxy.host}/team/app:many`;
    const id = await makeImage(name);
    await ok("push", name);
    await ok("rmi", name);
    await Promise.all(Array.from({ length: 10 }, () => ok("pull", name)));
    assert.equal(await ok("inspect", "-f", "{{.Id}}", name), id);
    const blobs = proxy.seen.filter((line) => /^GET .*\/blobs\//.test(line));
    const times = Object.values(Object.groupBy(blobs, (line) => line)).map((all) => all?.length ?? 0);
    assert.equal(Math.min(...times), 1, "the layer; everybody reads the configuration for himself");
    await ok("rmi", name);
  });

  test("a registry whose disk is full says so, keeps nothing, and goes on when there is space again", async () => {
    await using dir = await openTempDir("hawser-registry-");
    const disk = join(dir.path, "registry");
    await mkdir(disk);
    await runCommandOk(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk]);
    try {
      await using registry = await startRegistry(dir.path);
      const [large, small] = [`${registry.host}/team/large:1`, `${registry.host}/team/small:1`];
      await makeImage(large, 16 << 20);
      await makeImage(small, 2 << 20);
      const { exitCode, stderr } = await engine.docker(["push", large]);
      assert.equal(registry.program.hasEnded(), false, registry.program.output());
      assert.notEqual(exitCode, 0);
      assert.match(stderr, /no space left/);
      await eventually(async () => (await readdir(join(disk, "uploads"))).length === 0, {
        what: "nothing of it is kept",
      });
      await ok("push", small);
      await ok("rmi", small, large);
      await ok("pull", small);
      await ok("rmi", small);
    } finally {
      await runCommandOk(["umount", disk]);
    }
  });

  test("a registry of a thousand tags and ten thousand manifests lists and collects them", async () => {
    await using registry = await openTestRegistry();
    const { index } = registry.registry?.service ?? {};
    assert.ok(index !== undefined);
    for (let at = 0; at < 10_000; at++) {
      const digest = digestOf(`${at}`) as Parameters<typeof index.putManifest>[1]["digest"];
      const facts = {
        digest,
        mediaType: "x",
        sizeBytes: 1,
        artifactType: "",
        annotations: {},
        references: [],
      };
      index.putManifest("many", facts, at < 1000 ? [`t${String(at).padStart(4, "0")}`] : []);
    }
    let path: string | undefined = "/v2/many/tags/list?n=300";
    const pages: number[] = [];
    while (path !== undefined) {
      const reply = await registry.ask("GET", path);
      pages.push((JSON.parse(reply.body.toString()) as { readonly tags: readonly string[] }).tags.length);
      path = /<([^>]+)>/.exec(String(reply.headers["link"] ?? ""))?.[1];
    }
    assert.deepEqual(pages, [300, 300, 300, 100]);
    const collected = await registry.registry?.collectGarbage({
      graceMs: -1000,
      untagged: true,
      dryRun: false,
    });
    assert.equal(collected?.manifests, 9000);
  });
});
