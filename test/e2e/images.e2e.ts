import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { openFakeRegistry } from "@hawser/registry/testing";
import { root } from "../../tools/tree.ts";
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
