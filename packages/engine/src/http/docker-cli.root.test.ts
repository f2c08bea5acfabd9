import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ImageSummary } from "@hawser/api";
import { type ProgramResult, runProgram, runProgramOk, silentLogger } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { RegistryClient, WebClient } from "@hawser/registry/client";
import { openFakeRegistry } from "@hawser/registry/testing";
import { Store, writeImageArchive } from "@hawser/store";
import { EventBus } from "../events/event-bus.ts";
import { BuiltinImages } from "../images/builtin-images.ts";
import { EmbeddedMirror } from "../images/embedded-mirror.ts";
import { type ContainerUse, ImageService } from "../images/image-service.ts";
import { RemoteImages } from "../images/remote-images.ts";
import { SystemService } from "../system/system-service.ts";
import { eventRoutes } from "./routes/events.ts";
import { imageRoutes } from "./routes/images.ts";
import { systemRoutes } from "./routes/system.ts";
import { openApi, type TestApi } from "./testing/open-api.ts";
import { shownConfig } from "./testing/shown-config.ts";

/** Images, events and system behind a socket, on a real store, as the docker CLI finds them. */
async function openEngine() {
  await using built = new AsyncDisposableStack();
  const dir = built.use(await openTempDir());
  const builtinDir = join(dir.path, "builtin");
  const dataRoot = join(dir.path, "data");
  await mkdir(builtinDir);
  const store = built.use(await Store.open({ root: dataRoot, log: silentLogger }));
  const events = new EventBus({ now: Date.now });
  const uses: ContainerUse[] = [];
  const hub = built.use(await openFakeRegistry({ intercept: denyEverything }));
  const hostFolder = join(dir.path, "registries");
  await mkdir(join(hostFolder, "docker.io"), { recursive: true });
  await writeFile(join(hostFolder, "docker.io/hosts.toml"), `server = "http://${hub.address}"\n`);
  const asked = { environment: {}, userAgent: "test" };
  const web = built.use(new WebClient(asked));
  const client = built.use(
    new RegistryClient({
      settings: { mirrors: [], insecure: [], hostFolders: [hostFolder] },
      ...asked,
    }),
  );
  const hostPlatform = { os: "linux", architecture: process.arch === "arm64" ? "arm64" : "amd64" };
  const mirror = built.use(
    new EmbeddedMirror({
      root: join(dir.path, "mirror"),
      builtinDir,
      registries: [],
      client,
      log: silentLogger,
    }),
  );
  const builtin = new BuiltinImages({
    source: (name) => mirror.builtin(name),
    store,
    hostPlatform,
    log: silentLogger,
  });
  const images = new ImageService({ store, events, usedBy: () => uses, builtin });
  const registry = new RemoteImages({
    client,
    mirror,
    store,
    events,
    builtin: (name) => images.ensureBuiltin(name),
    hostPlatform,
    maxDownloads: 3,
    maxUploads: 3,
    reach: () => {},
  });
  const system = new SystemService({
    plugins: { names: async () => [] },
    live: shownConfig({ dataRoot }),
    host: {
      cgroups: { mode: "v2", mountPoints: ["/sys/fs/cgroup"] },
      runtimes: { crun: { path: "/usr/bin/crun", args: [] } },
      defaultRuntime: "crun",
      initPath: "/init",
      now: Date.now,
    },
    index: { list: () => [] },
    images,
    events,
    version: "1.2.3",
  });
  const api = built.use(
    await openApi([...systemRoutes(system), ...eventRoutes(events), ...imageRoutes(images, registry, web)]),
  );
  const kept = built.move();
  return { dir: dir.path, builtinDir, api, images, uses, close: () => kept.disposeAsync() };
}

/** As Docker Hub answers whoever asks for what is not there. */
function denyEverything(_request: IncomingMessage, response: ServerResponse): boolean {
  const errors = [{ code: "DENIED", message: "requested access to the resource is denied" }];
  response.writeHead(403).end(JSON.stringify({ errors }));
  return true;
}

describe("the docker CLI", () => {
  let engine: Awaited<ReturnType<typeof openEngine>>;
  let api: TestApi;
  before(async () => {
    engine = await openEngine();
    api = engine.api;
    const rootfs = join(engine.dir, "rootfs");
    await mkdir(join(rootfs, "etc"), { recursive: true });
    await writeFile(join(rootfs, "etc/motd"), "hello\n");
    await runProgramOk(["tar", "-C", rootfs, "-cf", join(engine.dir, "rootfs.tar"), "."]);
  });
  after(() => engine.close());

  const docker = (...args: string[]): Promise<ProgramResult> =>
    runProgram(["docker", "--host", api.address, ...args], {
      env: { PATH: process.env["PATH"], HOME: engine.dir },
    });
  const ok = async (...args: string[]): Promise<string> => {
    const result = await docker(...args);
    assert.equal(result.exitCode, 0, `docker ${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };

  test("shows version and info", async () => {
    const format = "{{.Server.Version}} {{.Server.APIVersion}} {{(index .Server.Components 0).Name}}";
    assert.equal(await ok("version", "--format", format), "1.2.3 1.51 Engine\n");
    const info = await ok("info");
    assert.match(info, /Server Version: 1\.2\.3\n/);
    assert.match(info, /Storage Driver: overlay2\n/);
    assert.match(info, /Cgroup Version: 2\n/);
  });

  test("imports, lists, inspects, tags, tells history and removes", async () => {
    const tar = join(engine.dir, "rootfs.tar");
    const id = (
      await ok(
        "import",
        "-c",
        'CMD ["/bin/x"]',
        "-c",
        "ENV A=1",
        "-c",
        "LABEL l=m",
        "-m",
        "why",
        tar,
        "made:1",
      )
    ).trim();
    assert.match(id, /^sha256:[0-9a-f]{64}$/);
    assert.match(
      await ok("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"),
      /^made:1 [0-9a-f]{12}\n$/,
    );
    const [inspected] = JSON.parse(await ok("inspect", "made:1"));
    assert.equal(inspected.Id, id);
    const unsaid = { Entrypoint: null, OnBuild: null, User: "", Volumes: null, WorkingDir: "" };
    assert.deepEqual(inspected.Config, { ...unsaid, Env: ["A=1"], Cmd: ["/bin/x"], Labels: { l: "m" } });
    assert.deepEqual(inspected.RepoTags, ["made:1"]);
    assert.match(await ok("history", "made:1", "--format", "{{.ID}} {{.Comment}}"), /^[0-9a-f]{12} why\n$/);

    await ok("tag", "made:1", "example.com:5000/team/made");
    const named = await ok("images", "-q", "--no-trunc", "--filter", "reference=*/*/made");
    assert.equal(named, `${id}\n`);
    assert.equal(await ok("images", "-q", "--filter", "label=l=other"), "");
    assert.equal(await ok("rmi", "made:1"), "Untagged: made:1\n");
    assert.match(
      await ok("rmi", id.slice(7, 19)),
      /^Untagged: example\.com:5000\/team\/made:latest\nDeleted: sha256:/,
    );
    assert.equal(await ok("images", "-q"), "");
  });

  test("does not remove what a container uses, in Docker's words", async () => {
    await ok("import", join(engine.dir, "rootfs.tar"), "used");
    engine.uses.push({ id: "c".repeat(64), running: true });
    const refused = await docker("rmi", "used");
    assert.equal(refused.exitCode, 1);
    assert.match(
      refused.stderr,
      /conflict: unable to remove repository reference "used" \(must force\) - container c{12} is using its referenced image [0-9a-f]{12}/,
    );
    engine.uses.length = 0;
    await ok("rmi", "used");
  });

  test("loads what docker save made, and hears of what is no image in the stream", async () => {
    await ok("load", "-i", await saveBusybox(engine.dir, "loaded:1"));
    assert.match(await ok("images", "--format", "{{.Repository}}:{{.Tag}}"), /^loaded:1\n$/m);
    const refused = await docker("load", "-i", join(engine.dir, "rootfs.tar"));
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /not an image archive/);
    await ok("rmi", "loaded:1");
  });

  test("is told how far a load is where it asks for that", async () => {
    const body = await readFile(await saveBusybox(engine.dir, "told:1"));
    for (const [query, says] of [
      [
        "?quiet=0",
        /^\{"status":"Loading layer","progressDetail":\{"current":(\d+),"total":\1\},"progress":"\[=+>\] +([\d.]+kB)\/\2","id":"[0-9a-f]{12}"\}\n\{"stream":"Loaded image: told:1\\n"\}\n$/,
      ],
      ["?quiet=1", /^\{"stream"/],
      ["", /^\{"stream"/],
    ] as const) {
      const { text } = await api.ask("POST", `/images/load${query}`, { body, type: "application/x-tar" });
      assert.match(text, says);
      await ok("rmi", "told:1");
    }
  });

  test("pulls the built-in image, once, and is told so; everything else is denied as Docker Hub would", async () => {
    const denied = await docker("run", "nosuch");
    assert.equal(denied.exitCode, 125);
    const words =
      /pull access denied for nosuch, repository does not exist or may require 'docker login': denied/;
    assert.match((await docker("pull", "nosuch")).stderr, words);
    assert.match((await docker("pull", "busybox:1.0")).stderr, /pull access denied for busybox/);
    assert.match((await docker("pull", "busybox")).stderr, /pull access denied for busybox/);
    await writeBuiltin(engine.builtinDir);
    const first = await ok("pull", "busybox");
    assert.match(first, /Using the built-in image "busybox:latest": no registry was asked/);
    assert.match(first, /Status: Loaded built-in image for busybox:latest/);
    assert.match(await ok("pull", "busybox"), /Status: Image is up to date for busybox:latest/);
    // No registry is said to have it.
    assert.equal(await ok("inspect", "-f", "{{len .RepoDigests}}", "busybox"), "0\n");
    assert.equal((await docker("pull", "Bad//Name")).exitCode, 1);
    await ok("rmi", "busybox");
  });

  test("sees it all in events", async () => {
    await ok("import", join(engine.dir, "rootfs.tar"), "evented:1");
    await ok("tag", "evented:1", "evented:2");
    await ok("rmi", "evented:1", "evented:2");
    const until = String(Math.ceil(Date.now() / 1000));
    const lines = await ok(
      "events",
      "--since",
      "1",
      "--until",
      until,
      "--filter",
      "type=image",
      "--format",
      "{{.Action}} {{.Actor.Attributes.name}}",
    );
    const own = lines.split("\n").slice(-7, -1);
    assert.deepEqual(
      own.map((line) => line.replace(/sha256:\w+/, "id")),
      ["tag evented:1", "import id", "tag evented:2", "untag id", "untag id", "delete id"],
    );
  });

  test("and old clients get their fields", async () => {
    await ok("import", join(engine.dir, "rootfs.tar"), "old");
    const list = async (version: string) =>
      JSON.parse((await api.ask("GET", `/${version}/images/json?shared-size=1`)).text) as ImageSummary[];
    const [now] = await list("v1.51");
    assert.deepEqual(
      [now?.VirtualSize, now?.Containers, now?.SharedSize, now?.Labels],
      [undefined, 0, 0, null],
    );
    const [then] = await list("v1.41");
    assert.deepEqual([then?.VirtualSize, then?.Containers], [then?.Size, -1]);
    const inspect = JSON.parse((await api.ask("GET", "/v1.41/images/old/json")).text);
    assert.equal(inspect.Config.Hostname, "");
    assert.equal(
      (await api.ask("GET", "/images/none/json")).text,
      '{"message":"No such image: none:latest"}\n',
    );
    assert.equal((await api.ask("GET", "/images/..%2F..%2Fetc/json")).status, 400);
    assert.equal((await api.ask("POST", "/images/create")).status, 400);
    await ok("rmi", "old");
  });
});

/** As the set-up makes them. */
async function writeBuiltin(folder: string): Promise<void> {
  const archive = writeImageArchive({
    reference: "busybox:latest",
    config: {
      os: "linux",
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      created: new Date(0),
      execution: {
        user: "",
        exposedPorts: [],
        env: [],
        cmd: ["/x"],
        volumes: [],
        workingDir: "",
        labels: { "io.hawser.builtin": "true" },
        stopSignal: "",
      },
      history: [],
    },
    layers: [{ entries: [{ path: "file", type: "file", content: Buffer.from("content") }] }],
  });
  await writeFile(join(folder, "busybox.tar"), archive);
}

/** `docker save`'s archive of an image with one file, made by hand. */
async function saveBusybox(folder: string, name: string): Promise<string> {
  await using work = await openTempDir();
  const at = (path: string) => join(work.path, path);
  await mkdir(at("root"));
  await mkdir(at("out"));
  await writeFile(at("root/file"), name);
  await runProgramOk(["tar", "-C", at("root"), "-cf", at("out/layer.tar"), "."]);
  const sum = (await runProgramOk(["sha256sum", at("out/layer.tar")])).stdout.split(" ")[0];
  const config = {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: { Cmd: ["/x"] },
    rootfs: { type: "layers", diff_ids: [`sha256:${sum}`] },
    history: [{ created: "2020-01-01T00:00:00Z", created_by: "x" }],
  };
  await writeFile(at("out/config.json"), JSON.stringify(config));
  await writeFile(
    at("out/manifest.json"),
    JSON.stringify([{ Config: "config.json", RepoTags: [name], Layers: ["layer.tar"] }]),
  );
  const path = join(folder, `${name.split(":")[0]}.tar`);
  await runProgramOk(["tar", "-C", at("out"), "-cf", path, "."]);
  return path;
}
