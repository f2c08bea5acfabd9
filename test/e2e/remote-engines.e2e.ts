import assert from "node:assert/strict";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { certificates, makeCertFolder, openTempDir } from "@hawser/base/testing";
import { root } from "../../tools/tree.ts";
import { dockerCli } from "./kit-cli.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { runCommand } from "./kit-process.ts";

/** Engines on other machines, as far as one machine can show them: by TLS, through ssh, by contexts. */

const clients = [
  { name: "hawser", argv: [join(root, "hawser")] },
  { name: "docker", argv: [dockerCli()] },
] as const;

/** Runs what it is to run over there over here. */
const fakeSsh = `#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift 2
exec sh -c "$*"
`;

let engine: TestEngine;
let tcp = "";
const resources = new AsyncDisposableStack();
before(async () => {
  const { authority, server } = certificates;
  const tls = ["--tlsverify", "--tlscacert", authority, "--tlscert", server.cert, "--tlskey", server.key];
  engine = resources.use(await openEngine({ flags: ["-H", "tcp://127.0.0.1:0", ...tls] }));
  tcp = /tcp:\/\/127\.0\.0\.1:\d+/.exec(engine.log())?.[0] ?? "";
  await engine.hawser(["run", "--rm", "busybox", "true"]);
});
after(() => resources.disposeAsync());

async function openUser() {
  const dir = await openTempDir("hawser-e2e-remote-");
  const bin = join(dir.path, "bin");
  await mkdir(bin);
  await writeFile(join(bin, "ssh"), fakeSsh);
  await chmod(join(bin, "ssh"), 0o755);
  await symlink(join(root, "hawser"), join(bin, "hawser"));
  await symlink(dockerCli(), join(bin, "docker"));
  const environment = {
    ...process.env,
    PATH: `${bin}:${process.env["PATH"] ?? ""}`,
    DOCKER_CONFIG: join(dir.path, "config"),
    HAWSER_RESIDENT: "0",
    DOCKER_HOST: undefined,
  };
  const certs = await makeCertFolder(join(dir.path, "certs"));
  const strange = await makeCertFolder(join(dir.path, "strange"), "stranger");
  const run = (
    argv: readonly string[],
    options: { readonly env?: Readonly<Record<string, string>>; readonly input?: string } = {},
  ) => runCommand(argv, { ...options, env: { ...environment, ...options.env } });
  return Object.assign(dir, { certs, strange, run });
}

for (const client of clients) {
  describe(`an engine elsewhere, by ${client.name}`, () => {
    const streams = ["run", "-i", "--rm", "busybox", "sh", "-c", "cat; echo oops >&2; exit 7"];

    test("is reached by TLS, told by options or environment", async () => {
      await using user = await openUser();
      const { authority, client: own } = certificates;
      const flags = ["--tlsverify", "--tlscacert", authority, "--tlscert", own.cert, "--tlskey", own.key];
      const byFlags = await user.run([...client.argv, "-H", tcp, ...flags, ...streams], { input: "in\n" });
      assert.deepEqual([byFlags.exitCode, byFlags.stdout, byFlags.stderr], [7, "in\n", "oops\n"]);
      const env = { DOCKER_HOST: tcp, DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: user.certs };
      const byEnvironment = await user.run([...client.argv, ...streams], { env, input: "in\n" });
      assert.deepEqual([byEnvironment.exitCode, byEnvironment.stdout], [7, "in\n"]);
      const stranger = await user.run([...client.argv, "ps"], {
        env: { ...env, DOCKER_CERT_PATH: user.strange },
      });
      assert.notEqual(stranger.exitCode, 0);
      const system = await user.run([...client.argv, "ps"], {
        env: { ...env, DOCKER_CERT_PATH: "/nonexistent" },
      });
      assert.notEqual(system.exitCode, 0);
    });

    test("is reached through ssh", async () => {
      await using user = await openUser();
      const host = `ssh://me@elsewhere${engine.socket}`;
      const run = await user.run([...client.argv, "-H", host, ...streams], { input: "in\n" });
      assert.deepEqual([run.exitCode, run.stdout, run.stderr], [7, "in\n", "oops\n"]);
    });

    test("is reached by a context of either client's", async () => {
      await using user = await openUser();
      const ok = async (argv: readonly string[], env: Readonly<Record<string, string>> = {}) => {
        const { exitCode, stdout, stderr } = await user.run(argv, { env });
        assert.equal(exitCode, 0, `${argv.join(" ")}: ${stderr}`);
        return stdout.trim();
      };
      const name = await ok([...clients[0].argv, "-H", engine.host, "info", "--format", "{{.Name}} {{.ID}}"]);
      const docker = `host=${tcp},ca=${user.certs}/ca.pem,cert=${user.certs}/cert.pem,key=${user.certs}/key.pem`;
      await ok([...client.argv, "context", "create", "far", "--docker", docker]);
      for (const other of clients) {
        const info = ["info", "--format", "{{.Name}} {{.ID}}"];
        assert.equal(await ok([...other.argv, "--context", "far", ...info]), name);
        assert.equal(await ok([...other.argv, ...info], { DOCKER_CONTEXT: "far" }), name);
        await ok([...client.argv, "context", "use", "far"]);
        assert.equal(await ok([...other.argv, ...info]), name);
        assert.equal(await ok([...other.argv, "context", "show"]), "far");
        const file = join(user.path, `${other.name}.dockercontext`);
        await ok([...client.argv, "context", "export", "far", file]);
        await ok([...other.argv, "context", "import", `from-${other.name}`, file]);
        assert.equal(await ok([...other.argv, "--context", `from-${other.name}`, ...info]), name);
      }
    });
  });
}
