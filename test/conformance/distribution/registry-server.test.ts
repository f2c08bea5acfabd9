import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, rm, utimes, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Fault, silentLogger } from "@hawser/base";
import { eventually, openTempDir } from "@hawser/base/testing";
import { type Digest, parseReference } from "@hawser/oci";
import { RegistryClient } from "@hawser/registry/client";
import { openRegistry, openUsersFile, parseUsers } from "@hawser/registry/server";
import { ask, digestOf, openTestRegistry, pushBlob, pushImage, types } from "./kit-registry.ts";

const basic = (user: string, password: string) => ({
  Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
});

describe("who may do what", () => {
  test("nobody without a login, but pulls where those are allowed", async () => {
    const bcrypt = (await import("bcryptjs")).default;
    const hash = bcrypt.hashSync("right", 4);
    await using registry = await openTestRegistry({
      access: { users: parseUsers(`ann:${hash}\nbob:${hash}\n`), anonymousPull: true },
    });
    const upload = "/v2/a/blobs/uploads/";
    const refused = await registry.ask("POST", upload);
    assert.equal(refused.status, 401);
    assert.match(String(refused.headers["www-authenticate"]), /^Basic realm=/);
    assert.equal((await registry.ask("GET", "/v2/")).status, 401);
    assert.equal((await registry.ask("GET", "/v2/", { headers: basic("ann", "right") })).status, 200);
    for (const headers of [basic("ann", "wrong"), basic("eve", "right"), { Authorization: "Bearer x" }]) {
      assert.equal((await registry.ask("POST", upload, { headers })).status, 401);
      assert.equal((await registry.ask("GET", "/v2/a/tags/list", { headers })).status, 401);
    }
    assert.equal((await registry.ask("POST", upload, { headers: basic("ann", "right") })).status, 202);
    assert.equal((await registry.ask("GET", "/v2/a/tags/list")).status, 404);
  });

  test("users are those of the file when they log in, also with a password that was right before", async () => {
    const bcrypt = (await import("bcryptjs")).default;
    await using dir = await openTempDir();
    const path = join(dir.path, "users");
    const write = (text: string) => writeFile(path, text);
    const line = (user: string, password: string) => `${user}:${bcrypt.hashSync(password, 4)}\n`;
    await write(line("ann", "one") + line("bob", "one"));
    const errors: string[] = [];
    const log = { ...silentLogger, error: (message: string) => void errors.push(message) };
    await using registry = await openTestRegistry({ access: { users: openUsersFile(path, log) } });
    const status = async (user: string, password: string) =>
      (await registry.ask("GET", "/v2/", { headers: basic(user, password) })).status;
    assert.deepEqual([await status("ann", "one"), await status("bob", "one")], [200, 200]);
    await write(line("ann", "two") + line("eve", "one"));
    assert.deepEqual([await status("ann", "one"), await status("ann", "two")], [401, 200]);
    assert.deepEqual([await status("bob", "one"), await status("eve", "one")], [401, 200]);
    // While it is written, and when it is gone.
    await write("ann:$2b$04$half");
    assert.deepEqual([await status("ann", "two"), await status("eve", "one")], [200, 200]);
    await rm(path);
    assert.equal(await status("ann", "two"), 200);
    assert.equal(errors.length, 2);
    await write(line("bob", "three"));
    assert.deepEqual([await status("ann", "two"), await status("bob", "three")], [401, 200]);
    assert.throws(() => openUsersFile(join(dir.path, "none"), log));
  });

  test("rules are for users and repositories, also for mounts; read-only is for all", async () => {
    const bcrypt = (await import("bcryptjs")).default;
    const hash = bcrypt.hashSync("p", 4);
    await using dir = await openTempDir();
    const access = {
      users: parseUsers(`ann:${hash}\nbob:${hash}\n`),
      rules: [
        { user: "ann", repository: "*", actions: ["pull", "push", "delete"] },
        { user: "bob", repository: "team/*", actions: ["pull", "push"] },
      ],
    } as const;
    {
      await using registry = await openTestRegistry({ root: dir.path, access });
      const as = (user: string) => ({ headers: basic(user, "p") });
      const secret = "only ann has this";
      const digest = digestOf(secret);
      const whole = await registry.ask("POST", `/v2/own/blobs/uploads/?digest=${digest}`, {
        ...as("ann"),
        body: secret,
      });
      assert.equal(whole.status, 201);
      assert.equal((await registry.ask("GET", `/v2/own/blobs/${digest}`, as("bob"))).status, 403);
      const mount = `/v2/team/x/blobs/uploads/?mount=${digest}`;
      assert.equal((await registry.ask("POST", mount, as("bob"))).status, 202);
      assert.equal((await registry.ask("POST", `${mount}&from=own`, as("bob"))).status, 202);
      assert.equal((await registry.ask("DELETE", `/v2/team/x/blobs/${digest}`, as("bob"))).status, 403);
      assert.equal((await registry.ask("POST", `${mount}&from=own`, as("ann"))).status, 201);
      const catalog = await registry.ask("GET", "/v2/_catalog", as("bob"));
      assert.deepEqual(JSON.parse(catalog.body.toString()), { repositories: ["team/x"] });
    }
    await using registry = await openTestRegistry({ root: dir.path, access: { ...access, readOnly: true } });
    const as = { headers: basic("ann", "p") };
    assert.equal((await registry.ask("POST", "/v2/own/blobs/uploads/", as)).status, 405);
    assert.equal(
      (await registry.ask("GET", `/v2/own/blobs/${digestOf("only ann has this")}`, as)).status,
      200,
    );
  });
});

describe("garbage", () => {
  test("is what no manifest refers to, and old enough; a dry run tells the same numbers", async () => {
    let nowMs = Date.now();
    await using dir = await openTempDir();
    await using registry = await openTestRegistry({ root: dir.path, now: () => nowMs });
    const kept = await pushImage(registry, "a", { reference: "kept", layer: "kept" });
    await pushImage(registry, "a", { layer: "untagged" });
    await pushBlob(registry, "a", "loose");
    await pushBlob(registry, "b", "kept");
    await registry.ask("POST", "/v2/a/blobs/uploads/");
    const collect = (more: object) =>
      registry.registry?.collectGarbage({ graceMs: 3_600_000, untagged: false, dryRun: false, ...more });
    const nothing = { manifests: 0, links: 0, uploads: 0, blobs: 0, bytes: 0 };
    assert.deepEqual(await collect({}), nothing);
    nowMs += 7_200_000;
    const wanted = { manifests: 0, links: 2, uploads: 1, blobs: 1, bytes: 5 };
    assert.deepEqual(await collect({ dryRun: true }), wanted);
    assert.equal((await registry.ask("GET", `/v2/a/blobs/${digestOf("loose")}`)).status, 200);
    assert.deepEqual(await collect({}), wanted);
    assert.equal((await registry.ask("GET", `/v2/a/blobs/${digestOf("loose")}`)).status, 404);
    assert.deepEqual(await readdir(join(dir.path, "uploads")), []);
    const untagged = await collect({ untagged: true });
    assert.deepEqual([untagged?.manifests, untagged?.blobs], [1, 2]);
    assert.equal((await registry.ask("GET", "/v2/a/manifests/kept")).body.toString(), kept);
    assert.equal((await registry.ask("GET", `/v2/a/blobs/${digestOf("kept")}`)).body.toString(), "kept");
    assert.deepEqual(await collect({ untagged: true }), nothing);
  });
});

describe("garbage beside pushes", () => {
  test("is not what a client was just told to be there", async () => {
    let nowMs = Date.now();
    await using registry = await openTestRegistry({ now: () => nowMs });
    const manifest = await pushImage(registry, "a", { reference: "1", layer: "a layer" });
    assert.equal((await registry.ask("DELETE", `/v2/a/manifests/${digestOf(manifest)}`)).status, 202);
    nowMs += 7_200_000;
    // The client need not send what is there.
    for (const blob of ["{}", "a layer"]) {
      assert.equal((await registry.ask("HEAD", `/v2/a/blobs/${digestOf(blob)}`)).status, 200);
    }
    nowMs += 60_000;
    await registry.registry?.collectGarbage({ graceMs: 3_600_000, untagged: true, dryRun: false });
    const put = await registry.ask("PUT", "/v2/a/manifests/2", {
      headers: { "Content-Type": types.manifest },
      body: manifest,
    });
    assert.equal(put.status, 201, put.body.toString());
    assert.equal(
      (await registry.ask("GET", `/v2/a/blobs/${digestOf("a layer")}`)).body.toString(),
      "a layer",
    );
  });

  test("goes while the same is pushed again and again, and every push that was taken is whole", async () => {
    await using dir = await openTempDir();
    await using registry = await openTestRegistry({ root: dir.path });
    const collect = async () =>
      (await registry.registry?.collectGarbage({ graceMs: 60_000, untagged: true, dryRun: false }))?.blobs ??
      0;
    const pathOf = (blob: string) => {
      const hex = digestOf(blob).slice("sha256:".length);
      return join(dir.path, "blobs/sha256", hex.slice(0, 2), hex);
    };
    let removed = 0;
    for (let round = 0; round < 30; round++) {
      const blobs = ["{}", `layer ${round % 3}`];
      const pushing = pushImage(registry, "a", { reference: "1", layer: blobs[1] ?? "" });
      for (let times = 0; times < 3; times++) removed += await collect();
      const manifest = await pushing;
      for (const blob of blobs) {
        assert.equal((await registry.ask("GET", `/v2/a/blobs/${digestOf(blob)}`)).body.toString(), blob);
      }
      await registry.ask("DELETE", `/v2/a/manifests/${digestOf(manifest)}`);
      for (const blob of blobs) {
        await registry.ask("DELETE", `/v2/a/blobs/${digestOf(blob)}`);
        await utimes(pathOf(blob), 0, 0);
      }
    }
    removed += await collect();
    assert.ok(removed > 0);
    assert.deepEqual(await readdir(join(dir.path, "uploads")), []);
  });
});

describe("faults", () => {
  test("a registry that is killed goes on where it was: uploads, too", async () => {
    await using dir = await openTempDir();
    const program = `import { openRegistry, openUsersFile, parseUsers } from "@hawser/registry/server";
      const log = { debug() {}, info() {}, warn() {}, error() {} };
      const registry = await openRegistry({ root: process.argv[1], host: "127.0.0.1", port: 0, log });
      console.log(registry.url);`;
    const start = async () => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", program, dir.path], {
        stdio: ["ignore", "pipe", "inherit"],
        cwd: import.meta.dirname,
      });
      const [url] = (await once(child.stdout, "data")) as [Buffer];
      return { child, url: url.toString().trim() };
    };
    const bytes = "first half, second half";
    const first = await start();
    const begun = await ask(first.url, "POST", "/v2/a/blobs/uploads/");
    const location = String(begun.headers["location"]);
    await ask(first.url, "PATCH", location, { body: bytes.slice(0, 11) });
    first.child.kill("SIGKILL");
    await once(first.child, "exit");
    const second = await start();
    try {
      const status = await ask(second.url, "GET", location);
      assert.deepEqual([status.status, status.headers["range"]], [204, "0-10"]);
      const put = await ask(second.url, "PUT", `${location}?digest=${digestOf(bytes)}`, {
        body: bytes.slice(11),
      });
      assert.equal(put.status, 201, put.body.toString());
      assert.equal((await ask(second.url, "GET", `/v2/a/blobs/${digestOf(bytes)}`)).body.toString(), bytes);
    } finally {
      second.child.kill("SIGKILL");
      await once(second.child, "exit");
    }
  });

  test("two registries do not share a folder", async () => {
    await using dir = await openTempDir();
    await using _first = await openTestRegistry({ root: dir.path });
    await assert.rejects(
      openRegistry({ root: dir.path, host: "127.0.0.1", port: 0, log: silentLogger }),
      (error) => Fault.is(error, "conflict"),
    );
  });

  test("a client that leaves in the middle leaves its upload as far as it came, and no error in the log", async () => {
    const errors: string[] = [];
    const lefts: string[] = [];
    const debug = (message: string) => void (message === "client left" && lefts.push(message));
    const log = { ...silentLogger, debug, error: (message: string) => void errors.push(message) };
    await using registry = await openTestRegistry({ log });
    const begun = await registry.ask("POST", "/v2/a/blobs/uploads/");
    const location = String(begun.headers["location"]);
    const { port } = new URL(registry.url);
    const socket = connect(Number(port), "127.0.0.1");
    socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npart`);
    await eventually(async () => (await registry.ask("GET", location)).headers["range"] === "0-3", {
      what: "the part is there",
    });
    socket.destroy();
    const rest = await registry.ask("PATCH", location, { headers: { "Content-Range": "4-7" }, body: "more" });
    assert.equal(rest.status, 202, rest.body.toString());
    const put = await registry.ask("PUT", `${location}?digest=${digestOf("partmore")}`);
    assert.equal(put.status, 201);
    await eventually(() => lefts.length === 1);
    assert.deepEqual(errors, []);
  });

  for (const [what, limits, access, status] of [
    ["too much", { uploadBytes: 1 << 20, manifestBytes: 1 << 20 }, {}, 413],
    ["what only those may send who have logged in", undefined, { users: parseUsers("") }, 401],
  ] as const) {
    test(`who sends ${what} reads the answer, not a broken connection`, async () => {
      await using registry = await openTestRegistry({ access, ...(limits && { limits }) });
      const begun = limits && (await registry.ask("POST", "/v2/a/blobs/uploads/"));
      const location = String(begun?.headers["location"] ?? `/v2/a/blobs/uploads/${randomUUID()}`);
      // As a client that writes all it has before it reads.
      const socket = connect(Number(new URL(registry.url).port), "127.0.0.1");
      const length = 64 << 20;
      socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`);
      const chunk = Buffer.alloc(1 << 20);
      for (let sent = 0; sent < length; sent += chunk.length) {
        if (!socket.write(chunk)) await once(socket, "drain");
      }
      const [head] = (await once(socket, "data")) as [Buffer];
      assert.match(head.toString(), new RegExp(`^HTTP/1.1 ${status} `));
      socket.destroy();
    });
  }

  test("an address that is none is no page", async () => {
    await using registry = await openTestRegistry();
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const { hostname, port } = new URL(registry.url);
    const request = httpRequest({ hostname, port, path: "//[" }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("error", reject).end();
    assert.equal(await promise, 404);
  });

  test("who goes on sending what was refused is cut off", async () => {
    await using registry = await openTestRegistry({ access: { users: parseUsers("") }, drainMs: 300 });
    const socket = connect(Number(new URL(registry.url).port), "127.0.0.1");
    socket.on("error", () => {});
    socket.write(
      `PATCH /v2/a/blobs/uploads/${randomUUID()} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n`,
    );
    const drip = setInterval(() => socket.write("x"), 20);
    const closed = Promise.withResolvers<void>();
    socket.once("close", () => closed.resolve());
    await closed.promise;
    clearInterval(drip);
  });

  test("our client is told at once that a blob is too large", async () => {
    await using registry = await openTestRegistry({
      limits: { uploadBytes: 1 << 20, manifestBytes: 1 << 20 },
    });
    using client = new RegistryClient({
      settings: { mirrors: [], insecure: [], hostFolders: [] },
      environment: {},
      userAgent: "test",
    });
    const repository = await client.repository(parseReference(`${new URL(registry.url).host}/a`));
    const bytes = Buffer.alloc(64 << 20, 7);
    const startedMs = performance.now();
    await assert.rejects(
      repository.uploadBlob({
        digest: digestOf(bytes) as Digest,
        sizeBytes: bytes.length,
        async *open(start, end) {
          for (let at = start; at < end; at += 1 << 16)
            yield bytes.subarray(at, Math.min(end, at + (1 << 16)));
        },
      }),
      /more than 1048576 bytes are not taken/,
    );
    assert.ok(performance.now() - startedMs < 6000, "nothing is tried again and again");
  });

  test("two pushers of one tag: one of them has it; the same blob by twenty at once is one", async () => {
    await using dir = await openTempDir();
    await using registry = await openTestRegistry({ root: dir.path });
    const [one, two] = await Promise.all(
      ["1", "2"].map((layer) => pushImage(registry, "a", { reference: "tag", layer })),
    );
    const got = (await registry.ask("GET", "/v2/a/manifests/tag")).body.toString();
    assert.ok(got === one || got === two);
    await Promise.all(Array.from({ length: 20 }, () => pushBlob(registry, "a", "same")));
    const hex = digestOf("same").slice("sha256:".length);
    assert.ok(existsSync(join(dir.path, "blobs/sha256", hex.slice(0, 2), hex)));
    assert.deepEqual(await readdir(join(dir.path, "uploads")), []);
  });

  test("a silent connection ends", async () => {
    await using registry = await openTestRegistry({ idleMs: 200 });
    const socket = connect(Number(new URL(registry.url).port), "127.0.0.1");
    socket.write("GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    await once(socket, "close");
  });
});

test("whoever looks whether it is well need not read the answer", async () => {
  await using registry = await openTestRegistry();
  for (const method of ["GET", "HEAD"]) assert.equal((await registry.ask(method, "/healthz")).status, 200);
});

test("a thousand tags and two thousand manifests are listed page by page", async () => {
  await using registry = await openTestRegistry();
  const { index } = registry.registry?.service ?? {};
  assert.ok(index !== undefined);
  for (let at = 0; at < 2000; at++) {
    const digest = digestOf(`${at}`) as Parameters<typeof index.putManifest>[1]["digest"];
    const facts = { digest, mediaType: "x", sizeBytes: 1, artifactType: "", annotations: {}, references: [] };
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
});
