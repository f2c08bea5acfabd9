import assert from "node:assert/strict";
import { chown, mkdir, readdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { ask } from "./kit-http.ts";
import { runCommandOk } from "./kit-process.ts";

let engine: TestEngine;
let dir: Awaited<ReturnType<typeof openTempDir>>;

before(async () => {
  engine = await openEngine();
  dir = await openTempDir();
  await ok("pull", "-q", "busybox");
});

after(async () => {
  await engine[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});

const at = (...parts: readonly string[]) => join(dir.path, ...parts);

async function ok(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await engine.docker(args);
  assert.equal(exitCode, 0, `docker ${args.join(" ")}: ${stderr}`);
  return stdout;
}

async function refused(...args: readonly string[]): Promise<string> {
  const { exitCode, stderr } = await engine.docker(args);
  assert.notEqual(exitCode, 0, `docker ${args.join(" ")} was to fail`);
  return stderr;
}

describe("docker cp", () => {
  test("copies both ways with a container that was created, runs, and has stopped", async () => {
    await mkdir(at("in/sub"), { recursive: true });
    await writeFile(at("in/sub/file"), "from the host");
    await symlink("sub/file", at("in/link"));
    await ok("create", "--name", "life", "-v", "data:/data", "busybox", "sleep", "1000");
    for (const state of ["created", "running", "exited"]) {
      if (state === "running") await ok("start", "life");
      if (state === "exited") await ok("stop", "-t", "0", "life");
      assert.equal((await ok("inspect", "-f", "{{.State.Status}}", "life")).trim(), state);
      for (const place of ["/tmp", "/data"]) {
        await ok("cp", at("in"), `life:${place}/${state}`);
        await ok("cp", `life:${place}/${state}`, at(`${state}${place.slice(1)}`));
        assert.equal(await readFile(at(`${state}${place.slice(1)}`, "sub/file"), "utf8"), "from the host");
        assert.equal(await readlink(at(`${state}${place.slice(1)}`, "link")), "sub/file");
      }
    }
    const seen = await ok(
      "run",
      "--rm",
      "-v",
      "data:/d:ro",
      "busybox",
      "cat",
      "/d/created/sub/file",
      "/d/exited/link",
    );
    assert.equal(seen, "from the hostfrom the host");
    await ok("start", "life");
    assert.equal(await ok("exec", "life", "ls", "/tmp"), "created\nexited\nrunning\n");
    await ok("rm", "-f", "life");
  });

  test("keeps owners, and gives what comes with -a to the container's user", async () => {
    await writeFile(at("owned"), "x", { mode: 0o640 });
    await chown(at("owned"), 7, 8);
    await ok("run", "-d", "--name", "user", "--user", "42:43", "busybox", "sleep", "1000");
    await ok("cp", at("owned"), "user:/tmp/plain");
    await ok("cp", "-a", at("owned"), "user:/tmp/users");
    const told = await ok("exec", "user", "stat", "-c", "%u:%g %a", "/tmp/plain", "/tmp/users");
    assert.equal(told, "7:8 640\n42:43 640\n");
    await ok("rm", "-f", "user");
  });

  test("never follows a container's links out of it", async () => {
    await writeFile(at("secret"), "secret");
    await writeFile(at("payload"), "payload");
    const links = `ln -s ${dir.path} /abs; ln -s ../../../../../../..${dir.path} /up; ln -s /proc/1/root /magic; sleep 1000`;
    await ok("run", "-d", "--name", "evil", "--pid", "host", "busybox", "sh", "-c", links);
    for (const state of ["running", "exited"]) {
      if (state === "exited") await ok("stop", "-t", "0", "evil");
      for (const link of ["abs", "up"]) {
        assert.match(await refused("cp", `evil:/${link}/secret`, at("stolen")), /Could not find the file/);
        assert.match(
          await refused("cp", at("payload"), `evil:/${link}/`),
          /Could not find the file|no such|not found/i,
        );
      }
      assert.match(
        await refused("cp", `evil:/magic${dir.path}/secret`, at("stolen")),
        /Could not find the file/,
      );
    }
    assert.deepEqual(
      (await readdir(dir.path)).filter((name) => name === "stolen"),
      [],
    );
    await ok("rm", "-f", "evil");
  });

  test("copies all of a running container, whatever its kernel shows it", async () => {
    await ok("run", "-d", "--name", "whole", "busybox", "sh", "-c", "echo w >/written; sleep 1000");
    await eventually(async () => /written/.test(await ok("diff", "whole")));
    const { status, text } = await ask(engine.socket, "GET /containers/whole/archive?path=/");
    assert.equal(status, 200);
    assert.match(text, /written/);
    await ok("rm", "-f", "whole");
  });

  test("refuses what Docker refuses, in its words", async () => {
    await writeFile(at("plain"), "p");
    await ok("create", "--name", "strict", "--read-only", "-v", "ro:/ro:ro", "-v", "rw:/rw", "busybox");
    assert.match(await refused("cp", at("plain"), "strict:/tmp/"), /container rootfs is marked read-only/);
    assert.match(await refused("cp", at("plain"), "strict:/ro/"), /mounted volume is marked read-only/);
    await ok("cp", at("plain"), "strict:/rw/");
    assert.match(
      await refused("cp", "strict:/nope", at("x")),
      /Could not find the file \/nope in container strict/,
    );
    assert.match(await refused("cp", "missing:/nope", at("x")), /No such container: missing/);
    await ok("rm", "strict");
  });
});

test("archives may be compressed in ways that Node does not know, wherever one is taken", async () => {
  await mkdir(at("context"));
  await writeFile(at("context/inside"), "inside\n");
  await runCommandOk(["tar", "-cf", at("files.tar"), "-C", at("context"), "inside"]);
  await ok("save", "-o", at("image.tar"), "busybox");
  for (const program of ["xz", "bzip2"]) {
    const pack = async (from: string, to: string) => {
      await runCommandOk(["sh", "-c", '"$0" -c <"$1" >"$2"', program, at(from), at(to)]);
      return at(to);
    };
    const packed = await pack("files.tar", "context/packed");
    await pack("context/inside", "context/single");
    await ok("create", "--name", "unpacks", "busybox", "cat", "/tmp/inside");
    const body = await readFile(packed);
    const put = await ask(engine.socket, "PUT /containers/unpacks/archive?path=/tmp", { body });
    assert.deepEqual([put.status, put.text], [200, ""], program);
    assert.equal(await ok("start", "-a", "unpacks"), "inside\n", program);
    await ok("rm", "unpacks");
    await ok("import", packed, "unpacked:1");
    assert.match(await ok("load", "-i", await pack("image.tar", "packed-image")), /Loaded image: busybox/);
    await writeFile(
      at("context/Dockerfile"),
      "FROM busybox\nADD packed single /tmp/\nCMD cat /tmp/inside; ls /tmp\n",
    );
    const build = ["build", "-q", "-t", "added:1", at("context")];
    const built = await engine.docker(build, { env: { DOCKER_BUILDKIT: "0" } });
    assert.equal(built.exitCode, 0, `${program}: ${built.stderr}`);
    assert.equal(await ok("run", "--rm", "added:1"), "inside\ninside\nsingle\n", program);
    await ok("rmi", "unpacked:1", "added:1");
  }
});

describe("docker diff, export and commit", () => {
  test("tell, give and keep what a container has written", async () => {
    const script =
      "echo hi > /tmp/new; rm /bin/true; echo x >> /etc/passwd; mkdir -p /a/b; echo v > /vol/data";
    await ok("run", "--name", "writer", "-v", "kept:/vol", "-e", "A=1", "busybox", "sh", "-c", script);
    const lines = (await ok("diff", "writer")).trim().split("\n").toSorted();
    assert.deepEqual(lines, [
      "A /a",
      "A /a/b",
      "A /tmp/new",
      "A /vol",
      "C /bin",
      "C /etc",
      "C /etc/passwd",
      "C /tmp",
      "D /bin/true",
    ]);

    await ok("export", "-o", at("export.tar"), "writer");
    await ok("import", at("export.tar"), "imported:1");
    assert.equal(
      await ok("run", "--rm", "imported:1", "sh", "-c", "cat /tmp/new; ls /vol | wc -l"),
      "hi\n0\n",
    );

    const commit = [
      "-a",
      "me",
      "-m",
      "why",
      "-c",
      "ENV B=2",
      "-c",
      'CMD ["sh", "-c", "cat /tmp/new; echo $A$B"]',
    ];
    const id = (await ok("commit", ...commit, "writer", "kept:v1")).trim();
    assert.equal(await ok("run", "--rm", "kept:v1"), "hi\n12\n");
    assert.match(await ok("run", "--rm", "kept:v1", "sh", "-c", "ls /bin/true 2>&1 || true"), /No such file/);
    assert.match(await ok("history", "kept:v1"), /why/);
    assert.equal((await ok("inspect", "-f", "{{.Id}}", "kept:v1")).trim(), id);

    await ok("save", "-o", at("saved.tar"), "kept:v1", "busybox", "imported:1");
    await ok("rm", "-v", "writer");
    await ok("rmi", "kept:v1", "imported:1");
    assert.match(await ok("load", "-i", at("saved.tar")), /Loaded image: kept:v1/);
    assert.equal((await ok("inspect", "-f", "{{.Id}}", "kept:v1")).trim(), id);
    assert.equal(await ok("run", "--rm", "kept:v1"), "hi\n12\n");
  });

  test("a running container goes on after its commit, and unused images are pruned", async () => {
    await ok("run", "-d", "--name", "busy", "busybox", "sh", "-c", "echo 1 > /f; sleep 1000");
    await eventually(async () => (await ok("exec", "busy", "cat", "/f")) === "1\n");
    const id = (await ok("commit", "busy")).trim();
    assert.equal((await ok("inspect", "-f", "{{.State.Status}}", "busy")).trim(), "running");
    assert.equal(await ok("run", "--rm", id, "cat", "/f"), "1\n");
    await ok("rm", "-f", "busy");
    const pruned = await ok("image", "prune", "-f");
    assert.ok(pruned.includes(id), pruned);
    assert.match(pruned, /Total reclaimed space: 2B/);
    assert.match(await ok("system", "df"), /Images .*\nContainers .*\nLocal Volumes .*\nBuild Cache/);
  });
});
