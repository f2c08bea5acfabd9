import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type TarSource, writeTar } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import { openRaw } from "./kit-http.ts";
import { useOwnEngine } from "./kit-own-engine.ts";

const own = useOwnEngine({ client: "hawser" });
const { ok, refused } = own;

const look =
  "cd /v; find . | sort; cat a/f; stat -c '%u:%g %a %h' a/f; readlink a/l; stat -c %F p; stat -c '%a %u' .";
const make =
  "cd /v; mkdir a; echo content > a/f; chown 5:6 a/f; chmod 4750 a/f; ln a/f a/g; ln -s /etc/passwd a/l; mkfifo p; chmod 1771 .; chown 9 .";

describe("a volume's files", () => {
  test("go out as an archive and come back as they were, whether or not it is in use", async () => {
    await ok(
      "run",
      "-d",
      "--name",
      "maker",
      "-v",
      "first:/v",
      "busybox",
      "sh",
      "-c",
      `${make}; touch /ready; sleep 1000`,
    );
    await eventually(async () => (await own.engine.hawser(["exec", "maker", "ls", "/ready"])).exitCode === 0);
    const seen = await ok("exec", "maker", "sh", "-c", look);
    const archive = join(own.folder, "first.tar");
    await ok("volume", "export", "-o", archive, "first");
    assert.equal(await ok("volume", "import", "--label", "k=v", "second", archive), "second");
    assert.equal(await ok("run", "--rm", "-v", "second:/v", "busybox", "sh", "-c", look), seen);
    assert.equal(await ok("volume", "ls", "-q", "-f", "label=k=v"), "second");
    assert.equal(await ok("volume", "clone", "--label", "own=1", "second", "third"), "third");
    assert.equal(await ok("run", "--rm", "-v", "third:/v", "busybox", "sh", "-c", look), seen);
    assert.equal(await ok("volume", "inspect", "-f", "{{.Labels.k}} {{.Labels.own}}", "third"), "v 1");
    const piped = await own.engine.hawser(["volume", "import", "fourth", "-"], {
      input: await readFile(archive),
    });
    assert.equal(piped.stdout, "fourth\n", piped.stderr);
    await ok("rm", "-f", "maker");
    await ok("volume", "rm", "first", "second", "third", "fourth");
  });

  test("go into an empty volume, into another only when told to", async () => {
    await ok("volume", "create", "empty");
    const archive = join(own.folder, "one.tar");
    await writeFile(archive, await tar(["f", "new"]));
    await ok("volume", "import", "empty", archive);
    await ok("run", "--rm", "-v", "empty:/v", "busybox", "sh", "-c", "echo old > /v/f; echo own > /v/g");
    assert.match(
      await refused("volume", "import", "empty", archive),
      /it has files, an empty one was wanted/,
    );
    assert.equal(await ok("run", "--rm", "-v", "empty:/v", "busybox", "cat", "/v/f"), "old");
    await ok("volume", "import", "--merge", "empty", archive);
    assert.equal(await ok("run", "--rm", "-v", "empty:/v", "busybox", "sh", "-c", "cat /v/f /v/g"), "newown");
    assert.match(await refused("volume", "clone", "empty", "empty"), /there is a volume of that name/);
    assert.match(await refused("volume", "clone", "none", "other"), /get none: no such volume/);
    assert.match(await refused("volume", "export", "-o", archive, "none"), /get none: no such volume/);
    await ok("volume", "rm", "empty");
  });

  test("come from what a volume's options name", async () => {
    const options = ["-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m"];
    await ok("volume", "create", ...options, "ram");
    await ok(
      "run",
      "-d",
      "--name",
      "user",
      "-v",
      "ram:/v",
      "busybox",
      "sh",
      "-c",
      "echo x > /v/f; touch /ready; sleep 1000",
    );
    await eventually(async () => (await own.engine.hawser(["exec", "user", "ls", "/ready"])).exitCode === 0);
    await ok("volume", "clone", "ram", "kept");
    await ok("rm", "-f", "user");
    assert.equal(await ok("run", "--rm", "-v", "kept:/v", "busybox", "cat", "/v/f"), "x");
    await ok("volume", "rm", "ram", "kept");
  });
});

describe("a hostile archive", () => {
  test("writes nothing outside of the volume", async () => {
    const victim = join(own.folder, "victim");
    await writeFile(victim, "as it was");
    const archives: readonly Buffer[] = [
      await tar([`../../../../../../../../../..${victim}`, "up"]),
      await tar([victim, "absolute"]),
      await tar({ path: "door", type: "symlink", linkPath: own.folder }, ["door/victim", "through a link"]),
      await tar({ path: "up", type: "symlink", linkPath: "../../../../../../../../../../../.." }, [
        `up${victim}`,
        "up a link",
      ]),
      await tar({ path: "mine", type: "hardlink", linkPath: victim }, ["mine", "by a hard link"]),
      await tar({ path: "mine", type: "hardlink", linkPath: `../../../../../../../../../..${victim}` }, [
        "mine",
        "by a hard link",
      ]),
    ];
    for (const [index, archive] of archives.entries()) {
      const { exitCode } = await own.engine.hawser(["volume", "import", `evil${index}`, "-"], {
        input: archive,
      });
      assert.equal(await readFile(victim, "utf8"), "as it was", `archive ${index}`);
      if (exitCode === 0) await ok("volume", "rm", `evil${index}`);
    }
    assert.deepEqual(
      await readdir(own.folder).then((names) => names.filter((name) => !name.endsWith(".tar"))),
      ["victim"],
    );
  });

  test("or one that breaks off leaves no volume", async () => {
    const cut = (await tar(["f", "x".repeat(5000)])).subarray(0, 2000);
    for (const input of [Buffer.from("no archive at all".repeat(100)), cut]) {
      const { exitCode, stderr } = await own.engine.hawser(["volume", "import", "half", "-"], { input });
      assert.equal(exitCode, 1, stderr);
      assert.match(await refused("volume", "inspect", "half"), /no such volume/);
    }
    const head = "POST /volumes/half/import HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
    using connection = openRaw(own.engine.socket, head);
    connection.socket.write((await tar(["f", "x".repeat(100_000)])).subarray(0, 90_000));
    await eventually(async () => (await hidden()).length === 1, { what: "the import has begun" });
    connection.socket.destroy();
    await eventually(async () => (await hidden()).length === 0, { what: "nothing is left" });
    using again = openRaw(own.engine.socket, head);
    again.socket.on("error", () => {});
    again.socket.write((await tar(["f", "x".repeat(100_000)])).subarray(0, 90_000));
    await eventually(async () => (await hidden()).length === 1, { what: "the import has begun" });
    await own.engine.kill();
    await own.engine.start();
    await eventually(async () => (await readdir(join(own.engine.dataRoot, "volumes"))).length === 0);
    assert.equal(await ok("volume", "ls", "-q"), "");
  });
});

const hidden = async () =>
  (await readdir(join(own.engine.dataRoot, "volumes"))).filter((name) => name.startsWith("."));

/** An archive as an attacker writes it: paths as they are. */
async function tar(
  ...entries: readonly (readonly [path: string, text: string] | TarSource)[]
): Promise<Buffer> {
  const sources = entries.map((entry): TarSource => {
    if ("type" in entry) return entry;
    const [path, text] = entry;
    return { path, type: "file", content: Buffer.from(text) };
  });
  return Buffer.concat(await Array.fromAsync(writeTar(sources)));
}
