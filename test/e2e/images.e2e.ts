import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type TarSource, writeTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { openFakeRegistry } from "@hawser/registry/testing";
import { root } from "../../tools/tree.ts";
import { ask } from "./kit-http.ts";
import { clients, findLayer, hawserOnly, runClient, textOf, useTarget } from "./kit-target.ts";

const target = useTarget();
const archive = join(root, "build/images/hello-world.tar");
const idOf = async (name: string) => textOf((await target.inspect(name))["Id"]);

for (const [number, client] of clients.entries()) {
  const call = async (args: readonly string[], input?: Uint8Array) => {
    const result = await runClient(target, client, { args, ...(input && { input }) });
    assert.deepEqual([result.exitCode, result.stderr], [0, ""]);
    return result.stdout;
  };
  const fails = async (...args: string[]) => {
    const { exitCode, stderr } = await runClient(target, client, { args });
    assert.equal(exitCode, 1);
    return stderr;
  };
  const named = (name: string) => `${name}-${number}`;

  describe(`images, by ${client.name}`, () => {
    test("are loaded from an archive, by name or standard input, and run", async () => {
      assert.equal(await call(["load", "-i", archive]), "Loaded image: hello-world:latest\n");
      assert.equal(await call(["load"], await readFile(archive)), "Loaded image: hello-world:latest\n");
      assert.match(await target.ok("run", "--rm", "hello-world"), /Hello from Hawser!/);
      await target.ok("rmi", "hello-world");
    });

    test("are imported from a root file system, with changes", async () => {
      await using dir = await openTempDir();
      const rootfs = join(dir.path, "rootfs.tar");
      await writeFile(rootfs, await findLayer("busybox"));
      const changes = ["-c", 'ENTRYPOINT ["echo"]', "-c", 'CMD ["by default"]', "-c", "ENV A=1", "-m", "why"];
      const id = (await call(["import", ...changes, rootfs, named("made")])).trim();
      assert.match(id, /^sha256:[0-9a-f]{64}$/);
      assert.equal(await target.ok("run", "--rm", named("made")), "by default\n");
      const piped = await call(
        ["import", "-c", "USER 1", "-", `${named("made")}:piped`],
        await findLayer("busybox"),
      );
      assert.equal(textOf((await target.inspect(piped.trim()))["Config"]?.["User"]), "1");
      assert.match(
        await fails("import", "-c", "NOSUCH x", rootfs),
        /NOSUCH is not a valid change command|unknown instruction: NOSUCH/i,
      );
    });

    test("are listed", async () => {
      await call(["tag", "busybox", `example.com:5000/team/listed:${number}`]);
      const [head = "", ...lines] = (await call(["images"])).split("\n");
      assert.match(head, /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$/);
      assert.ok(
        lines.some((line) =>
          new RegExp(`^example\\.com:5000/team/listed +${number} +[0-9a-f]{12} +.* ago +\\d`).test(line),
        ),
      );
      const reference = ["--filter", `reference=*/*/listed:${number}`];
      assert.equal(await call(["images", "-q", "--no-trunc", ...reference]), `${await idOf("busybox")}\n`);
      assert.equal(
        await call(["images", "--format", "{{.Repository}}:{{.Tag}}", ...reference]),
        `example.com:5000/team/listed:${number}\n`,
      );
      assert.equal(await call(["images", "-q", "nosuch"]), "");
    });

    test("have names, which are removed before the image is", async () => {
      await call(["tag", "busybox", named("second")]);
      assert.equal(await idOf(named("second")), await idOf("busybox"));
      assert.equal(await call(["rmi", named("second")]), `Untagged: ${named("second")}:latest\n`);
      assert.match(await fails("tag", "nosuch", "x"), /No such image: nosuch:latest/);
      assert.match(
        await fails("tag", "busybox", "Bad Name"),
        /invalid reference format|not a valid repository\/tag/,
      );
      assert.match(await fails("rmi", "nosuch"), /No such image: nosuch(:latest)?/);
    });

    test("are removed with what only they have", async () => {
      await call(["load", "-i", archive]);
      const id = await idOf("hello-world");
      const told = await call(["rmi", "hello-world"]);
      assert.match(
        told,
        new RegExp(`^Untagged: hello-world:latest\nDeleted: ${id}\n(Deleted: sha256:[0-9a-f]{64}\n)+$`),
      );
      assert.match(await fails("inspect", "--type", "image", id), /[Nn]o such image/);
    });

    test("are kept while containers use them", async () => {
      await call(["load", "-i", archive]);
      await target.ok("create", "--name", named("user"), "hello-world");
      assert.match(
        await fails("rmi", "hello-world"),
        /conflict: unable to remove repository reference "hello-world" \(must force\) - container [0-9a-f]{12} is using its referenced image [0-9a-f]{12}/,
      );
      await target.ok("rm", named("user"));
      await call(["rmi", "hello-world"]);
    });
  });
}

describe("images", () => {
  test("with several names are not removed by id", async () => {
    await target.ok("tag", "busybox", "one:1");
    const { exitCode, stderr } = await target.docker(["rmi", (await idOf("one:1")).slice(7, 19)]);
    assert.equal(exitCode, 1);
    assert.match(
      stderr,
      /unable to delete [0-9a-f]{12} \((must be forced|cannot be forced)\) - image is (referenced in multiple repositories|being used by running container)/,
    );
  });

  test("that a running container uses are not removed by force either", async () => {
    await target.ok("run", "-d", "--name", "runs", "busybox", "sleep", "600");
    const { stderr } = await target.docker(["rmi", "-f", (await idOf("busybox")).slice(7, 19)]);
    assert.match(
      stderr,
      /unable to delete [0-9a-f]{12} \(cannot be forced\) - image is being used by running container [0-9a-f]{12}/,
    );
    await target.ok("rm", "-f", "runs");
  });

  test("keep a container's files when they are removed by force", async () => {
    await target.ok("load", "-i", archive);
    await target.ok("create", "--name", "survivor", "hello-world");
    await target.ok("rmi", "-f", "hello-world");
    assert.match(await target.ok("start", "-a", "survivor"), /Hello from Hawser!/);
    await target.ok("rm", "survivor");
  });

  test("are inspected", async () => {
    await target.ok("load", "-i", archive);
    const image = await target.inspect("hello-world");
    assert.deepEqual(image["RepoTags"], ["hello-world:latest"]);
    assert.equal(image["Os"], "linux");
    assert.equal(textOf(image["RootFS"]?.["Type"]), "layers");
    assert.deepEqual(image["Config"]?.["Cmd"], ["/hello"]);
    await target.ok("rmi", "hello-world");
  });

  test("whose configuration says less, or in other letters, are what Docker takes them for", async () => {
    await using dir = await openTempDir();
    const layer = await findLayer("busybox");
    const diffIds = [`sha256:${createHash("sha256").update(layer).digest("hex")}`];
    const load = async (name: string, config: object) => {
      const list = [{ Config: "config.json", RepoTags: [`${name}:latest`], Layers: ["layer.tar"] }];
      const files = {
        "config.json": JSON.stringify(config),
        "layer.tar": layer,
        "manifest.json": JSON.stringify(list),
      };
      const sources = Object.entries(files).map(
        ([path, content]): TarSource => ({ path, type: "file", content: Buffer.from(content) }),
      );
      await writeFile(join(dir.path, "image.tar"), writeTar(sources));
      await target.ok("load", "-i", join(dir.path, "image.tar"));
    };
    await load("says-less", { config: { Cmd: ["echo", "less"] }, rootfs: { diff_ids: diffIds } });
    const less = await target.inspect("says-less");
    assert.deepEqual([less["Architecture"], less["Os"]], ["", "linux"]);
    assert.equal(await target.ok("run", "--name", "less", "says-less"), "less\n");
    await target.ok("commit", "less", "says-more");
    const { Architecture: own } = await target.inspect("busybox");
    assert.equal((await target.inspect("says-more"))["Architecture"], own);
    await target.ok("rm", "less");

    await load("other-letters", {
      ARCHITECTURE: "s390x",
      architecture: own,
      OS: "linux",
      Config: { cmd: ["sh", "-c", "echo $A"], env: ["A=b"], LABELS: { X: "1", x: "2" } },
      RootFS: { Type: "layers", Diff_IDs: diffIds },
    });
    assert.equal(await target.ok("run", "--rm", "other-letters"), "b\n");
    const { Architecture, Config } = await target.inspect("other-letters");
    assert.equal(Architecture, own);
    assert.deepEqual(Config?.["Labels"], { X: "1", x: "2" });
    await target.ok("rmi", "says-less", "says-more", "other-letters");
  });

  test("that are committed have escaped arguments only of who asks, and of no command that is new", async () => {
    await target.ok("create", "--name", "escaping", "busybox");
    const body = { ArgsEscaped: true, Cmd: ["sh"] };
    const found: Record<string, unknown> = {};
    for (const change of ["", "ENV a=b", "CMD echo hi", 'CMD ["echo"]', "ENTRYPOINT echo hi"]) {
      const changes = change === "" ? "" : `&changes=${encodeURIComponent(change)}`;
      const what = `POST /commit?container=escaping&repo=escaped${changes}`;
      const { status, text } = await ask(target.socket(), what, { body });
      assert.equal(status, 201, text);
      found[change] = (await target.inspect("escaped"))["Config"]?.["ArgsEscaped"];
    }
    assert.deepEqual(found, {
      "": true,
      "ENV a=b": true,
      "CMD echo hi": undefined,
      'CMD ["echo"]': undefined,
      "ENTRYPOINT echo hi": undefined,
    });
    await target.ok("rm", "escaping");
    await target.ok("rmi", "escaped");
    await target.ok("image", "prune", "-f");
  });

  test("that are no archive leave nothing behind", async () => {
    await using dir = await openTempDir();
    await writeFile(join(dir.path, "junk"), "this is no archive");
    const before = await target.ok("images", "-aq");
    assert.equal((await target.docker(["load", "-i", join(dir.path, "junk")])).exitCode, 1);
    assert.equal((await target.docker(["import", join(dir.path, "junk")])).exitCode, 1);
    assert.equal(await target.ok("images", "-aq"), before);
  });
});

describe("without a registry", hawserOnly, () => {
  test("the built-in images run, and the client is told that they are built-in", async () => {
    const { exitCode, stdout, stderr } = await target.docker(["run", "--rm", "hello-world"]);
    assert.equal(exitCode, 0);
    assert.match(stdout, /Hello from Hawser!/);
    assert.match(stderr, /built-in image "hello-world:latest"/);
  });

  for (const client of clients) {
    test(`what Docker Hub does not give is refused in Docker's words, by ${client.name}`, async () => {
      await using hub = await openFakeRegistry({
        intercept(_request, response) {
          const errors = [{ code: "DENIED", message: "requested access to the resource is denied" }];
          response.writeHead(403).end(JSON.stringify({ errors }));
          return true;
        },
      });
      await target.engine().setDockerHub(hub.address);
      const { exitCode, stderr } = await runClient(target, client, { args: ["run", "--rm", "nosuch/image"] });
      assert.equal(exitCode, 125);
      assert.match(stderr, /Unable to find image 'nosuch\/image:latest' locally/);
      assert.match(
        stderr,
        /pull access denied for nosuch\/image, repository does not exist or may require 'docker login': denied: requested access to the resource is denied/,
      );
    });
  }
});

/** Docker answers 500 where it is 404 here: what is not there is the caller's to know. */
describe("the platform of an image, by the API", { ...hawserOnly }, () => {
  const json = (os: string, architecture: string) => encodeURIComponent(JSON.stringify({ os, architecture }));
  const get = async (what: string) => {
    const answer = await ask(target.socket(), what, { headers: { "x-registry-auth": "e30=" } });
    return [answer.status, answer.text.startsWith("{") ? textOf(answer.json()["message"]) : ""] as const;
  };
  const [other, own] = [
    json("linux", "s390x"),
    json("linux", process.arch === "x64" ? "amd64" : process.arch),
  ];

  test("is what its parts are asked for by, from the versions on that know it", async () => {
    const is = `linux/${process.arch === "x64" ? "amd64" : process.arch}`;
    const words = (name: string) =>
      `image with reference ${name} was found but its platform (${is}) does not match the specified platform (linux/s390x)`;
    const mismatch = [404, words("busybox")] as const;
    const none = [404, "no suitable export target found for platform linux/s390x"] as const;
    assert.deepEqual(await get(`GET /v1.49/images/busybox/json?platform=${other}`), mismatch);
    assert.deepEqual(await get(`GET /v1.48/images/busybox/history?platform=${other}`), mismatch);
    assert.deepEqual(await get(`GET /v1.48/images/busybox/get?platform=${other}`), none);
    assert.deepEqual(await get(`GET /v1.48/images/get?names=busybox&platform=${other}`), none);
    assert.deepEqual(await get(`POST /v1.46/images/busybox/push?tag=latest&platform=${other}`), [
      404,
      words("busybox:latest"),
    ]);
    assert.deepEqual(await get(`DELETE /v1.50/images/busybox?platforms=${other}`), mismatch);
    for (const what of [
      `GET /v1.48/images/busybox/json?platform=${other}`,
      `GET /v1.47/images/busybox/history?platform=${other}`,
      `GET /v1.47/images/busybox/get?platform=${other}`,
      `GET /v1.51/images/busybox/json?platform=${own}`,
      `GET /v1.51/images/busybox/json?manifests=1`,
      `GET /v1.51/images/busybox/history?platform=${own}`,
      `GET /v1.51/images/busybox/get?platform=${own}`,
    ])
      assert.equal((await get(what))[0], 200, what);
  });

  test("is refused in Docker's words where it is none", async () => {
    for (const path of ["busybox/json", "busybox/history", "busybox/get"]) {
      const of = async (platform: string) => await get(`GET /images/${path}?platform=${platform}`);
      assert.match((await of("linux/amd64"))[1], /^failed to parse platform: /);
      assert.deepEqual(await of("%7B%7D"), [400, "both OS and Architecture must be provided"]);
      assert.deepEqual(await of(encodeURIComponent('{"variant":"v8"}')), [
        400,
        "optional platform fields provided, but OS and Architecture are missing",
      ]);
    }
    assert.deepEqual(await get(`GET /images/busybox/get?platform=${own}&platform=${other}`), [
      400,
      "multiple platform parameters not supported",
    ]);
    assert.deepEqual(await get(`GET /images/busybox/json?manifests=1&platform=${own}`), [
      400,
      "conflicting options: manifests and platform options cannot both be set",
    ]);
    const load = async (query: string) =>
      await ask(target.socket(), `POST /images/load?${query}`, { body: await readFile(archive) });
    assert.equal((await load("platform=nope")).status, 400);
    assert.match((await load(`platform=${other}`)).text, /it has no image for linux\/s390x/);
    assert.match((await load(`platform=${own}`)).text, /Loaded image: hello-world:latest/);
    await target.ok("rmi", "hello-world");
  });

  test("is what hawser's own client asks by", async () => {
    const hawser = clients.find(({ name }) => name === "hawser");
    assert.ok(hawser);
    const mismatch = /its platform \(linux\/\w+\) does not match the specified platform \(linux\/s390x\)/;
    const refusals = [
      [["history", "--platform", "linux/s390x", "busybox"], mismatch],
      [["image", "inspect", "--platform", "linux/s390x", "busybox"], mismatch],
      [["push", "--platform", "linux/s390x", "busybox"], mismatch],
      [["save", "--platform", "linux/s390x", "-o", "/dev/null", "busybox"], /no suitable export target/],
      [["load", "--platform", "linux/s390x", "-i", archive], /it has no image for linux\/s390x/],
      [["save", "--platform", "a/b/c/d", "-o", "/dev/null", "busybox"], /a\/b\/c\/d/],
    ] as const;
    for (const [args, words] of refusals) {
      const { exitCode, stderr } = await runClient(target, hawser, { args });
      assert.deepEqual([exitCode, words.test(stderr)], [1, true], `${args.join(" ")}: ${stderr}`);
    }
    const shown = await runClient(target, hawser, {
      args: ["history", "-q", "--platform", "linux", "busybox"],
    });
    assert.deepEqual([shown.exitCode, shown.stdout.split("\n").length], [0, 2]);
  });
});
