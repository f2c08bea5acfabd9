import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { type FakeRegistry, type Interceptor, openFakeRegistry } from "@hawser/registry/testing";
import { hawserCli } from "./kit-cli.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { ask } from "./kit-http.ts";
import { type CommandResult, startProgram } from "./kit-process.ts";
import { busyboxLayer, type ImageForm, layerOf, publishImage } from "./kit-registry.ts";
import { againstDockerd } from "./kit-target.ts";

describe("images of a registry", { skip: againstDockerd }, () => {
  let engine: TestEngine;
  let registry: FakeRegistry;
  const resources = new AsyncDisposableStack();
  before(async () => {
    engine = resources.use(await openEngine());
    registry = resources.use(await openFakeRegistry());
  });
  after(() => resources.disposeAsync());

  const docker = async (...args: string[]) => wanted(await engine.docker(args));
  const hawser = async (...args: string[]) => wanted(await engine.hawser(args));
  const wanted = ({ exitCode, stdout, stderr }: CommandResult) => {
    assert.equal(exitCode, 0, stderr + stdout);
    return stdout;
  };
  const inspect = async (name: string, format: string) =>
    (await docker("inspect", "-f", format, name)).trim();
  const assertNothingOnItsWay = async () => {
    await eventually(
      async () => {
        const names = await Promise.all(
          ["content/ingest", "layers/ingest"].map((folder) => readdir(join(engine.dataRoot, folder))),
        );
        return names.flat().length === 0;
      },
      { deadlineMs: 20_000, what: "nothing is left on its way" },
    );
  };

  for (const form of ["docker", "oci", "zstd", "index"] as const satisfies readonly ImageForm[]) {
    test(`as ${form} are pulled, run, and pushed back as they were`, async () => {
      const repository = `team/${form}`;
      const published = publishImage(registry, {
        repository,
        tag: "v1",
        form,
        plainLayers: [
          await busyboxLayer(),
          await layerOf({ etc: "" }).then((empty) => empty.subarray(-1024)),
          await layerOf({ word: `of ${form}`, noise: randomBytes(200_000) }),
        ],
      });
      const name = `${registry.address}/${repository}:v1`;
      const first = await docker("pull", name);
      assert.match(first, new RegExp(`^v1: Pulling from ${repository}$`, "m"));
      for (const digest of published.layers) {
        assert.match(
          first,
          new RegExp(`^${digest.slice(7, 19)}: Pull complete|${digest.slice(7, 19)}: Already exists$`, "m"),
        );
      }
      assert.match(first, new RegExp(`^Digest: ${published.digest}$`, "m"));
      assert.match(first, new RegExp(`^Status: Downloaded newer image for ${name}$`, "m"));
      assert.equal(await inspect(name, "{{.Id}}"), published.imageId);
      assert.equal(
        await inspect(name, "{{index .RepoDigests 0}}"),
        `${registry.address}/${repository}@${published.digest}`,
      );
      assert.match(await docker("pull", name), /Status: Image is up to date/);
      assert.equal(await docker("run", "--rm", name, "cat", "/word"), `of ${form}`);

      await docker("tag", name, `${registry.address}/copy/${form}:v2`);
      const pushed = await hawser("push", `${registry.address}/copy/${form}:v2`);
      assert.match(pushed, new RegExp(`^v2: digest: ${published.manifestDigest} size: `, "m"));
      assert.equal(registry.manifests.has(`copy/${form}@${published.manifestDigest}`), true);
      await assertNothingOnItsWay();
    });
  }

  test("that a build begins with are shown while they come, and where they do not", async () => {
    await using dir = await openTempDir();
    const publish = async (tag: string) => {
      const plainLayers = [await layerOf({ noise: randomBytes(300_000) })];
      const { layers } = publishImage(registry, { repository: "base/app", tag, plainLayers });
      return { name: `${registry.address}/base/app:${tag}`, digest: layers[0] ?? "" };
    };
    const contextFrom = async (from: string) => {
      await writeFile(join(dir.path, "Dockerfile"), `FROM ${from}\nLABEL a=b\n`);
      return dir.path;
    };
    const [first, second] = [await publish("v1"), await publish("v2")];
    const told = await docker("build", await contextFrom(first.name));
    const complete = `^${first.digest.slice(7, 19)}: Pull complete$`;
    const step = `^Step 1/2 : FROM ${first.name}$`;
    assert.match(told, new RegExp(`^v1: Pulling from base/app$[^]*${complete}[^]*${step}`, "m"));
    const shown = await engine.hawser(["build", "--progress", "plain", await contextFrom(second.name)]);
    assert.equal(shown.exitCode, 0, shown.stderr);
    assert.match(shown.stderr, new RegExp(`^#\\d+ \\[internal\\] load metadata for ${second.name}$`, "m"));
    assert.match(shown.stderr, new RegExp(`^#\\d+ extracting ${second.digest}.* done$`, "m"));
    const absent = await contextFrom(`${registry.address}/base/none:v1`);
    const { exitCode, stdout, stderr } = await engine.docker(["build", absent]);
    assert.equal(exitCode, 1);
    assert.match(stdout, /^Step 1\/2 : FROM \S+\/base\/none:v1$/m);
    assert.match(stderr, /not found/);
  });

  test("that a container made are pushed, and are the same when they come back", async () => {
    const name = `${registry.address}/made/app:v1`;
    publishImage(registry, { repository: "made/base", tag: "v1", plainLayers: [await busyboxLayer()] });
    await docker(
      "run",
      "--name",
      "maker",
      `${registry.address}/made/base:v1`,
      "sh",
      "-c",
      "echo made > /made",
    );
    await docker("commit", "maker", name);
    await docker("rm", "maker");
    const first = await docker("push", name);
    const digest = /digest: (sha256:\w+)/.exec(first)?.[1] ?? "";
    assert.match(first, /Pushed/);
    assert.match(await docker("push", name), new RegExp(`Layer already exists[^]*${digest}`));
    const id = await inspect(name, "{{.Id}}");
    await docker("rmi", name);
    assert.match(await hawser("run", "--rm", name, "cat", "/made"), /made/);
    assert.equal(await inspect(name, "{{.Id}}"), id);
    assert.equal(await inspect(name, "{{index .RepoDigests 0}}"), `${registry.address}/made/app@${digest}`);
  });

  test("are all pulled with -a, one by digest, and others not at all", async () => {
    const [one, two] = ["one", "two"].map((tag) =>
      publishImage(registry, {
        repository: "team/many",
        tag,
        plainLayers: [Buffer.from(tag.padEnd(1024, "\0"))].slice(1),
      }),
    );
    assert.match(await hawser("pull", "-a", `${registry.address}/team/many`), /one: Pulling[^]*two: Pulling/);
    assert.equal(one?.imageId, two?.imageId);
    const byDigest = `${registry.address}/team/many@${one?.digest}`;
    assert.equal(await hawser("pull", "-q", byDigest), `${byDigest}\n`);
    for (const { stderr } of [
      await engine.docker(["push", byDigest]),
      await engine.hawser(["push", byDigest]),
    ])
      assert.match(stderr, /^cannot push a digest reference$/m);
    const refusals = [
      ["team/many:three", /manifest for \S+\/team\/many:three not found: manifest unknown: manifest unknown/],
      ["Team/Tags", /invalid reference format/],
    ] as const;
    for (const [name, words] of refusals) {
      for (const result of [
        await engine.docker(["pull", `${registry.address}/${name}`]),
        await engine.hawser(["pull", `${registry.address}/${name}`]),
      ]) {
        assert.equal(result.exitCode, 1);
        assert.match(result.stderr, words);
      }
    }
    const other = await engine.docker([
      "pull",
      "--platform",
      "linux/s390x",
      `${registry.address}/team/index:v1`,
    ]);
    assert.match(other.stderr, /no matching manifest for linux\/s390x in the manifest list entries/);
  });

  test("have 127 layers", async () => {
    const layers = await Promise.all(
      Array.from({ length: 126 }, (_, index) => layerOf({ [`layer-${index}`]: String(index) })),
    );
    publishImage(registry, {
      repository: "team/deep",
      tag: "v1",
      plainLayers: [await busyboxLayer(), ...layers],
    });
    const name = `${registry.address}/team/deep:v1`;
    assert.match(await hawser("run", "--rm", name, "ls", "/"), /layer-0\n[^]*layer-125\n/);
  });

  test("hears what a client has for it: headers X-Meta-*, and nothing else of the client's", async () => {
    publishImage(registry, { repository: "team/meta", tag: "v1", plainLayers: [await layerOf({ a: "a" })] });
    const image = `${registry.address}/team/meta`;
    const headers = { "X-Meta-Build": "7", "X-Registry-Auth": "no base64 of JSON", "X-Other": "1" };
    for (const what of [
      `POST /images/create?fromImage=${image}&tag=v1`,
      `POST /images/${image}/push?tag=v1`,
    ]) {
      const before = registry.seen.length;
      const { status, text } = await ask(engine.socket, what, { headers });
      assert.deepEqual([status, text.includes('"error"')], [200, false], text);
      const heard = registry.seen.slice(before).filter(({ path }) => path.includes("team/meta"));
      assert.ok(heard.length > 0);
      for (const one of heard) {
        assert.equal(one.headers["x-meta-build"], "7");
        assert.equal(one.headers["x-other"], undefined);
        assert.equal(one.headers.authorization, undefined);
      }
    }
  });

  describe("with a login", () => {
    const ann = { kind: "basic", username: "ann", password: "s e:cret" } as const;

    test("are pulled and pushed by whoever has logged in, until he logs out", async () => {
      await using guarded = await openFakeRegistry({ login: { ...ann, kind: "bearer" } });
      await using dir = await openTempDir();
      const env = { DOCKER_CONFIG: dir.path };
      const name = `${guarded.address}/team/app:v1`;
      publishImage(guarded, { repository: "team/app", tag: "v1", plainLayers: [await layerOf({ a: "a" })] });
      const denied = /unauthorized: (authentication required|incorrect username or password)/;
      assert.match((await engine.hawser(["pull", name], { env })).stderr, denied);
      const login = ["login", "-u", ann.username, "--password-stdin", guarded.address];
      assert.match((await engine.hawser(login, { env, input: "wrong\n" })).stderr, denied);
      assert.equal(
        wanted(await engine.hawser(login, { env, input: `${ann.password}\n` })),
        "Login Succeeded\n",
      );
      wanted(await engine.hawser(["pull", name], { env }));
      wanted(await engine.docker(["push", name], { env }));
      assert.match(
        wanted(await engine.hawser(["logout", guarded.address], { env })),
        /Removing login credentials/,
      );
      assert.match((await engine.hawser(["push", name], { env })).stderr, denied);
      assert.deepEqual(JSON.parse(await readFile(join(dir.path, "config.json"), "utf8")), { auths: {} });
    });

    test("are what a build begins with", async () => {
      await using guarded = await openFakeRegistry({ login: { ...ann, kind: "bearer" } });
      await using dir = await openTempDir();
      const env = { DOCKER_CONFIG: dir.path, DOCKER_BUILDKIT: "0" };
      publishImage(guarded, {
        repository: "team/base",
        tag: "v1",
        plainLayers: [await layerOf({ base: "b" })],
      });
      await writeFile(
        join(dir.path, "Dockerfile"),
        `FROM ${guarded.address}/team/base:v1\nLABEL built=yes\n`,
      );
      for (const client of ["docker", "hawser"] as const) {
        const build = async () => await engine[client](["build", "-t", `built-${client}`, dir.path], { env });
        assert.match((await build()).stderr, /unauthorized/);
        const login = ["login", "-u", ann.username, "--password-stdin", guarded.address];
        wanted(await engine.hawser(login, { env, input: `${ann.password}\n` }));
        wanted(await build());
        assert.equal(await inspect(`built-${client}`, "{{.Config.Labels.built}}"), "yes");
        wanted(await engine.hawser(["logout", guarded.address], { env }));
        await docker("rmi", `built-${client}`, `${guarded.address}/team/base:v1`);
      }
    });

    test("are pulled with what a credential helper keeps", async () => {
      await using guarded = await openFakeRegistry({ login: ann });
      await using dir = await openTempDir();
      const kept = join(dir.path, "kept");
      await writeFile(
        join(dir.path, "docker-credential-test"),
        `#!/bin/sh
case $1 in
  store) cat >"${kept}" ;;
  get) read -r server; [ -e "${kept}" ] && grep -q "\\"$server\\"" "${kept}" && cat "${kept}" || { echo "credentials not found in native keychain"; exit 1; } ;;
  erase) rm -f "${kept}" ;;
esac
`,
        { mode: 0o755 },
      );
      const config = { credHelpers: { [guarded.address]: "test" }, HttpHeaders: { "X-Kept": "yes" } };
      await writeFile(join(dir.path, "config.json"), JSON.stringify(config));
      const env = { DOCKER_CONFIG: dir.path, PATH: `${dir.path}:${process.env["PATH"]}` };
      const name = `${guarded.address}/team/app:v1`;
      publishImage(guarded, { repository: "team/app", tag: "v1", plainLayers: [await layerOf({ b: "b" })] });
      assert.match((await engine.hawser(["pull", name], { env })).stderr, /no basic auth credentials/);
      const login = ["login", "-u", ann.username, "--password-stdin", guarded.address];
      wanted(await engine.hawser(login, { env, input: ann.password }));
      assert.equal(JSON.parse(await readFile(kept, "utf8")).Secret, ann.password);
      const settings = await readFile(join(dir.path, "config.json"), "utf8");
      assert.doesNotMatch(settings, /s e:cret|auth"/);
      assert.match(settings, /X-Kept/);
      wanted(await engine.hawser(["pull", name], { env }));
      wanted(await engine.hawser(["logout", guarded.address], { env }));
      assert.match((await engine.hawser(["pull", name], { env })).stderr, /no basic auth credentials/);
    });

    test("are not waited for any more, nor is a credential helper that hangs, by whoever interrupts", async () => {
      await using dir = await openTempDir();
      const pidFile = join(dir.path, "pid");
      const hanging = join(dir.path, "docker-credential-hanging");
      await writeFile(hanging, `#!/bin/sh\necho $$ >"${pidFile}"\nexec sleep 1000\n`, { mode: 0o755 });
      await writeFile(join(dir.path, "config.json"), JSON.stringify({ credsStore: "hanging" }));
      const env = {
        ...process.env,
        DOCKER_HOST: engine.host,
        DOCKER_CONFIG: dir.path,
        PATH: `${dir.path}:${process.env["PATH"]}`,
      };
      const log = join(dir.path, "log");
      const pull = await startProgram([...hawserCli(), "pull", `${registry.address}/team/open:v1`], {
        log,
        env,
      });
      const helper = await eventually(async () => Number(await readFile(pidFile, "utf8")) || undefined);
      await pull.kill("SIGINT");
      assert.equal(await pull.ended, 130);
      await eventually(() => !existsSync(`/proc/${helper}`), { what: "the helper has ended" });
    });

    test("are pulled without one where a credential helper fails and none is wanted", async () => {
      await using dir = await openTempDir();
      const broken = join(dir.path, "docker-credential-broken");
      await writeFile(broken, "#!/bin/sh\necho no keychain >&2\nexit 1\n", { mode: 0o755 });
      const name = `${registry.address}/team/open:v1`;
      publishImage(registry, {
        repository: "team/open",
        tag: "v1",
        plainLayers: [await layerOf({ o: "o" })],
      });
      const env = { DOCKER_CONFIG: dir.path, PATH: `${dir.path}:${process.env["PATH"]}` };
      for (const [helper, why] of [
        ["broken", /WARNING: .* is asked without a login: .*no keychain/],
        ["absent", /WARNING: .* is asked without a login: .*is not installed/],
      ] as const) {
        const config = { credsStore: helper, auths: { [registry.address]: {} } };
        await writeFile(join(dir.path, "config.json"), JSON.stringify(config));
        for (const args of [
          ["pull", name],
          ["push", name],
          ["logout", registry.address],
        ]) {
          const { exitCode, stderr } = await engine.hawser(args, { env });
          assert.deepEqual([exitCode, why.test(stderr) || args[0] === "logout"], [0, true], stderr);
        }
        assert.deepEqual(JSON.parse(await readFile(join(dir.path, "config.json"), "utf8")).auths, {});
      }
      // Whoever logs in wants it kept.
      const login = ["login", "-u", "ann", "--password-stdin", registry.address];
      assert.equal((await engine.hawser(login, { env, input: "x" })).exitCode, 1);
      await docker("rmi", name);
    });
  });

  describe("although the engine dies", () => {
    /** Which request is the last one that the first engine makes. */
    const steps: Record<
      string,
      { readonly command: "pull" | "push"; readonly at: RegExp; readonly half?: boolean }
    > = {
      "before it knows the image": { command: "pull", at: /^GET .*\/manifests\// },
      "while it fetches the configuration": { command: "pull", at: /^GET .*\/blobs\/CONFIG/ },
      "in the middle of a layer": { command: "pull", at: /^GET .*\/blobs\/LAST/, half: true },
      "before it has a place to push to": { command: "push", at: /^POST / },
      "in the middle of a push": { command: "push", at: /^PUT .*\/blobs\// },
      "before it names what it pushed": { command: "push", at: /^PUT .*\/manifests\// },
    };
    for (const [index, [when, { command, at, half }]] of Object.entries(steps).entries()) {
      test(when, async () => {
        await using own = await openFakeRegistry();
        const noise = randomBytes(3 << 20);
        const published = publishImage(own, {
          repository: "team/app",
          tag: "v1",
          plainLayers: [await busyboxLayer(), await layerOf({ [`noise-${index}`]: noise })],
        });
        const name = `${own.address}/team/app:v1`;
        if (command === "push") {
          await docker("pull", name);
          own.blobs.clear();
          own.manifests.clear();
        }
        const text = at.source
          .replace("CONFIG", published.imageId)
          .replace("LAST", published.layers.at(-1) ?? "");
        const stuck = Promise.withResolvers<void>();
        const stick: Interceptor = (request, response) => {
          if (!new RegExp(text).test(`${request.method} ${request.url}`)) return false;
          const blob = own.blobs.get(published.layers.at(-1) ?? "");
          if (half === true && blob !== undefined) {
            response.writeHead(200, { "content-length": blob.length });
            response.write(blob.subarray(0, blob.length / 2));
          }
          stuck.resolve();
          return true;
        };
        own.intercept = stick;
        const left = engine.docker([command, name]);
        const early = left.then(({ stderr, stdout }) => assert.fail(`it ended early: ${stderr}${stdout}`));
        await Promise.race([stuck.promise, early]);
        early.catch(() => {});
        await engine.kill();
        assert.notEqual((await left).exitCode, 0);
        own.intercept = undefined;
        await engine.start();
        await assertNothingOnItsWay();
        await docker(command, name);
        await assertNothingOnItsWay();
        if (command === "pull") assert.equal(await inspect(name, "{{.Id}}"), published.imageId);
        else assert.equal(own.manifests.has(`team/app@${published.manifestDigest}`), true);
        await docker("rmi", name);
      });
    }
  });

  test("are not fetched any more once nobody wants them", async () => {
    await using own = await openFakeRegistry();
    const published = publishImage(own, {
      repository: "team/app",
      tag: "v1",
      plainLayers: [await layerOf({ noise: randomBytes(3 << 20) })],
    });
    const [begun, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    own.intercept = (request, response) => {
      if (!request.url?.endsWith(published.layers[0] ?? "")) return false;
      const blob = own.blobs.get(published.layers[0] ?? "") ?? assert.fail();
      response.writeHead(200, { "content-length": blob.length });
      response.write(blob.subarray(0, 1 << 20));
      response.on("close", gone.resolve);
      begun.resolve();
      return true;
    };
    const leaving = new AbortController();
    const left = engine.docker(["pull", `${own.address}/team/app:v1`], { signal: leaving.signal });
    await begun.promise;
    leaving.abort();
    await assert.rejects(left);
    await gone.promise;
    await assertNothingOnItsWay();
  });

  test("come from mirrors by hosts.toml", async () => {
    await using mirror = await openFakeRegistry();
    const published = publishImage(mirror, {
      repository: "team/app",
      tag: "v1",
      plainLayers: [await layerOf({ c: "c" })],
    });
    await using extra = await openTempDir();
    await mkdir(join(extra.path, "registry.invalid"));
    await writeFile(
      join(extra.path, "registry.invalid/hosts.toml"),
      `[host."http://${mirror.address}"]\ncapabilities = ["pull", "resolve"]\n`,
    );
    await engine.stop();
    await engine.start(["--registry-hosts", extra.path, "--registry-mirror", `http://${mirror.address}`]);
    await docker("pull", "registry.invalid/team/app:v1");
    assert.equal(await inspect("registry.invalid/team/app:v1", "{{.Id}}"), published.imageId);
  });
});
