import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { openFakeRegistry } from "@hawser/registry/testing";
import bcrypt from "bcryptjs";
import { openTestRegistry, type TestRegistry } from "../conformance/distribution/kit-registry.ts";
import { startRegistry } from "./kit-registry-program.ts";
import { clients, runClient, textOf, useTarget } from "./kit-target.ts";

/** Our own registry, on loopback, which needs no TLS. */
const target = useTarget();
let registry: TestRegistry;
before(async () => {
  registry = await openTestRegistry();
});
after(() => registry[Symbol.asyncDispose]());

for (const client of clients) {
  describe(`our registry, by ${client.name}`, () => {
    test("what is pushed comes back the same, and runs", async () => {
      const ok = async (...args: string[]) => {
        const { exitCode, stdout, stderr } = await runClient(target, client, { args });
        assert.equal(exitCode, 0, `${args.join(" ")}\n${stdout}\n${stderr}`);
        return stdout;
      };
      const name = `${new URL(registry.url).host}/team/${client.name.replaceAll(/\W/g, "").toLowerCase()}:1`;
      await ok("tag", "busybox", name);
      const id = textOf((await target.inspect(name))["Id"]);
      assert.match(await ok("push", name), /digest: sha256:[0-9a-f]{64} size: \d+/);
      await ok("rmi", name);
      assert.match(await ok("pull", name), /Status: Downloaded newer image|Status: Image is up to date/);
      assert.equal(textOf((await target.inspect(name))["Id"]), id);
      assert.equal(await ok("run", "--rm", name, "echo", "hello"), "hello\n");
      await ok("rmi", name);
    });

    test("with tokens and a certificate of its own, whoever has logged in pushes and pulls", async () => {
      await using dir = await openTempDir("hawser-registry-");
      const users = join(dir.path, "users");
      await writeFile(users, `ann:${bcrypt.hashSync("right", 4)}\n`);
      await using own = await startRegistry(dir.path, ["--tls-self", "--tokens", "--htpasswd", users]);
      assert.match(own.program.output(), /certificate\.pem.*([0-9A-F]{2}:){31}/);
      const env = { DOCKER_CONFIG: dir.path };
      const run = async (...args: string[]) => await runClient(target, client, { args, env });
      const ok = async (...args: string[]) => {
        const { exitCode, stdout, stderr } = await run(...args);
        assert.equal(exitCode, 0, `${args.join(" ")}\n${stdout}\n${stderr}`);
        return stdout;
      };
      const name = `${own.host}/team/app:1`;
      await ok("tag", "busybox", name);
      assert.match((await run("push", name)).stderr, /^(denied|unauthorized): /m);
      assert.match((await run("login", "-u", "ann", "-p", "wrong", own.host)).stderr, /unauthorized/);
      assert.match(await ok("login", "-u", "ann", "-p", "right", own.host), /Login Succeeded/);
      const settings = await readFile(join(dir.path, "config.json"), "utf8");
      assert.match(settings, /"identitytoken": ?"ey/);
      assert.doesNotMatch(settings, new RegExp(Buffer.from("ann:right").toString("base64")));
      await ok("push", name);
      await ok("rmi", name);
      await ok("pull", name);
      await ok("logout", own.host);
      assert.match((await run("pull", name)).stderr, /denied|unauthorized/);
      await ok("rmi", name);
    });

    test("a mirror has what was pulled through it, also when the registry is gone", async () => {
      await using dir = await openTempDir("hawser-registry-");
      await using mirrored = await openTestRegistry();
      const { host } = new URL(mirrored.url);
      await using mirror = await startRegistry(dir.path, ["--mirror", `hub=${host}`]);
      const ok = async (...args: string[]) => {
        const { exitCode, stdout, stderr } = await runClient(target, client, { args });
        assert.equal(exitCode, 0, `${args.join(" ")}\n${stdout}\n${stderr}`);
      };
      const name = `${mirror.host}/hub/team/app:1`;
      await ok("tag", "busybox", `${host}/team/app:1`);
      await ok("push", `${host}/team/app:1`);
      await ok("pull", name);
      await mirrored.registry?.[Symbol.asyncDispose]();
      await ok("rmi", name, `${host}/team/app:1`);
      await ok("pull", name);
      await ok("rmi", name);
    });

    test("is searched by its catalogue; what cannot be searched is said", async () => {
      const { host } = new URL(registry.url);
      const pushed = ["search/one", "search/another", "other/thing"];
      for (const path of pushed) {
        const name = `${host}/${path}:1`;
        assert.equal((await runClient(target, client, { args: ["tag", "busybox", name] })).exitCode, 0);
        assert.equal((await runClient(target, client, { args: ["push", name] })).exitCode, 0);
        await runClient(target, client, { args: ["rmi", name] });
      }
      const search = async (...args: string[]) =>
        await runClient(target, client, { args: ["search", ...args] });
      const format = ["--format", "{{.Name}}"];
      const found = await search(...format, `${host}/search`);
      assert.equal(found.stdout, `${host}/search/another\n${host}/search/one\n`, found.stderr);
      assert.equal(
        (await search(...format, "--limit", "1", `${host}/search`)).stdout,
        `${host}/search/another\n`,
      );
      assert.equal((await search(...format, "--filter", "stars=3", `${host}/search`)).stdout, "");
      assert.match((await search(`${host}/search`)).stdout, /^NAME +DESCRIPTION +STARS +OFFICIAL\n/);
      assert.match((await search("--filter", "nope=1", `${host}/x`)).stderr, /invalid filter 'nope'/);
      assert.match((await search("--limit", "101", `${host}/x`)).stderr, /outside the range of \[1, 100\]/);
      await using bare = await openFakeRegistry();
      assert.match((await search(`${bare.address}/x`)).stderr, /Cannot search .*neither a search/);
      bare.intercept = (request, response) => {
        if (!request.url?.startsWith("/v1/search?q=x&n=25")) return false;
        response.writeHead(200, { "content-type": "application/json" });
        const results = [
          { name: "x\u001b[31m", description: "many", star_count: 7, is_official: true },
          { name: 1 },
        ];
        response.end(JSON.stringify({ results }));
        return true;
      };
      const line = await search("--format", "{{.Name}} {{.StarCount}} {{.IsOfficial}}", `${bare.address}/x`);
      assert.match(line.stdout, /^x \[31m 7 (true|\[OK\])\n$/);
    });
  });
}
