import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { type TarSource, writeTar } from "@hawser/base";
import { certificates, makeCertFolder, openTempDir } from "@hawser/base/testing";
import { openFakeEngine } from "../testing/fake-engine.ts";
import { runClient } from "../testing/run-client.ts";
import { writeZip } from "../testing/write-zip.ts";

async function openClient() {
  const dir = await openTempDir();
  const environment: Record<string, string> = {};
  const run = async (...argv: string[]) => {
    const config = (() => {
      try {
        return JSON.parse(readFileSync(join(dir.path, "config.json"), "utf8")) as object;
      } catch {
        return {};
      }
    })();
    return await runClient({
      argv: ["context", ...argv],
      host: "unix:///own.sock",
      configDir: dir.path,
      workingDir: dir.path,
      environment,
      config,
    });
  };
  const ok = async (...argv: string[]) => {
    const { code, stdout, stderr } = await run(...argv);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const refused = async (...argv: string[]) => {
    const { code, stderr } = await run(...argv);
    assert.equal(code, 1);
    return stderr.trimEnd();
  };
  return Object.assign(dir, { run, ok, refused, environment });
}

test("contexts are made, shown, used, changed and removed with docker's words", async () => {
  await using client = await openClient();
  const certs = await makeCertFolder(join(client.path, "certs"));
  const docker = `host=tcp://127.0.0.1:1,ca=${certs}/ca.pem,cert=certs/cert.pem,key=certs/key.pem,skip-tls-verify=true`;
  assert.deepEqual(await client.run("create", "--description", "mine", "--docker", docker, "one"), {
    code: 0,
    stdout: "one\n",
    stderr: 'Successfully created context "one"\n',
  });
  const folder = "contexts/meta/7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
  assert.equal(
    readFileSync(join(client.path, folder, "meta.json"), "utf8"),
    '{"Name":"one","Metadata":{"Description":"mine"},"Endpoints":{"docker":{"Host":"tcp://127.0.0.1:1","SkipTLSVerify":true}}}',
  );
  const key = join(client.path, folder.replace("meta", "tls"), "docker/key.pem");
  assert.equal(statSync(key).mode & 0o777, 0o600);
  assert.deepEqual(readFileSync(key), readFileSync(certificates.client.key));
  await client.ok("create", "two");
  await client.ok("create", "four", "--from", "one");
  await client.ok("create", "five", "--docker", "from=one");
  assert.equal(
    await client.ok("ls"),
    "NAME        DESCRIPTION                               DOCKER ENDPOINT     ERROR\n" +
      "default *   Current DOCKER_HOST based configuration   unix:///own.sock    \n" +
      "five                                                  tcp://127.0.0.1:1   \n" +
      "four        mine                                      tcp://127.0.0.1:1   \n" +
      "one         mine                                      tcp://127.0.0.1:1   \n" +
      "two         Current DOCKER_HOST based configuration   unix:///own.sock    \n",
  );
  assert.equal(
    (await client.ok("ls", "--format", "json")).split("\n")[1],
    '{"Current":false,"Description":"","DockerEndpoint":"tcp://127.0.0.1:1","Error":"","Name":"five"}',
  );
  writeFileSync(join(client.path, "config.json"), '{"auths":{},"other":1}');
  assert.equal((await client.run("use", "one")).stderr, 'Current context is now "one"\n');
  assert.deepEqual(JSON.parse(readFileSync(join(client.path, "config.json"), "utf8")), {
    auths: {},
    other: 1,
    currentContext: "one",
  });
  await client.ok("update", "one", "--description", "new");
  const [shown] = JSON.parse(await client.ok("inspect", "one")) as Record<string, unknown>[];
  assert.deepEqual(shown, {
    Name: "one",
    Metadata: { Description: "new" },
    Endpoints: { docker: { Host: "tcp://127.0.0.1:1", SkipTLSVerify: true } },
    TLSMaterial: { docker: ["ca.pem", "cert.pem", "key.pem"] },
    Storage: {
      MetadataPath: join(client.path, folder),
      TLSPath: join(client.path, folder.replace("meta", "tls")),
    },
  });
  await client.ok("update", "one", "--docker", "host=ssh://a@b");
  assert.equal(
    await client.ok("inspect", "--format", "{{.Endpoints.docker.Host}} {{json .TLSMaterial}}", "one"),
    "ssh://a@b {}\n",
  );
  assert.equal(await client.ok("rm", "-f", "one", "four"), "one\nfour\n");
  assert.deepEqual(JSON.parse(readFileSync(join(client.path, "config.json"), "utf8")), {
    auths: {},
    other: 1,
  });
  assert.equal(await client.ok("ls", "-q"), "default\nfive\ntwo\n");
});

test("what is wrong with a context is said in docker's words", async () => {
  await using client = await openClient();
  await client.ok("create", "one", "--docker", "host=tcp://h");
  const wrong: readonly (readonly [readonly string[], string])[] = [
    [["create", "one", "--docker", "host=tcp://x"], 'context "one" already exists'],
    [
      ["create", "a b"],
      'context name "a b" is invalid, names are validated against regexp "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$"',
    ],
    [["create", "default"], '"default" is a reserved context name'],
    [
      ["create", "x3", "--docker", "foo=bar"],
      "unable to create docker endpoint config: unrecognized config key: foo",
    ],
    [
      ["create", "x7", "--docker", "skip-tls-verify=maybe,host=tcp://y"],
      'unable to create docker endpoint config: skip-tls-verify: parsing "maybe": invalid syntax',
    ],
    [
      ["create", "x8", "--docker", "host=tcp://h,ca=/nope"],
      "unable to create docker endpoint config: open /nope: no such file or directory",
    ],
    [["rm", "default"], 'context "default" cannot be removed'],
    [["rm", "nope"], 'context "nope" does not exist'],
    [["update", "default"], '"default" is a reserved context name'],
  ];
  for (const [argv, words] of wrong) assert.equal(await client.refused(...argv), words);
  for (const verb of ["use", "inspect", "export", "update"]) {
    assert.match(
      await client.refused(verb, "nope"),
      /^context "nope": context not found: open .*meta.json: no such/,
    );
  }
  client.environment["DOCKER_HOST"] = "tcp://q";
  assert.match(
    (await client.run("use", "one")).stderr,
    /Warning: DOCKER_HOST environment variable overrides/,
  );
});

test("a context is exported and imported, keys included", async () => {
  await using client = await openClient();
  const certs = await makeCertFolder(join(client.path, "certs"));
  await client.ok("create", "one", "--docker", `host=tcp://h,ca=${certs}/ca.pem,key=${certs}/key.pem`);
  assert.equal((await client.run("export", "one")).stderr, 'Written file "one.dockercontext"\n');
  assert.equal(statSync(join(client.path, "one.dockercontext")).mode & 0o777, 0o600);
  assert.equal(await client.refused("export", "one"), "open one.dockercontext: file exists");
  assert.equal(
    (await client.run("import", "two", "one.dockercontext")).stderr,
    'Successfully imported context "two"\n',
  );
  assert.equal(await client.refused("import", "two", "one.dockercontext"), 'context "two" already exists');
  assert.equal(
    await client.ok("inspect", "--format", "{{.Endpoints.docker.Host}} {{.TLSMaterial.docker}}", "two"),
    "tcp://h [ca.pem key.pem]\n",
  );
});

test("an archive writes nothing but a context", async () => {
  await using client = await openClient();
  const meta = Buffer.from('{"Name":"x","Endpoints":{"docker":{"Host":"tcp://h"}}}');
  const archive = async (...entries: readonly TarSource[]) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of writeTar(entries)) chunks.push(chunk);
    writeFileSync(join(client.path, "a.tar"), Buffer.concat(chunks));
  };
  const file = (path: string, content: Buffer): TarSource => ({ path, type: "file", content });
  await archive(
    file("tls/docker/../../../../escaped", Buffer.from("x")),
    { path: "tls/docker/ca.pem", type: "symlink", linkPath: "/etc/passwd" },
    file("tls/docker/other.pem", Buffer.from("x")),
    file("meta.json", meta),
  );
  await client.ok("import", "odd", "a.tar");
  assert.equal(await client.ok("inspect", "--format", "{{.Name}} {{json .TLSMaterial}}", "odd"), "odd {}\n");
  await archive(file("tls/docker/ca.pem", Buffer.from("x")));
  assert.match(await client.refused("import", "none", "a.tar"), /no metadata found/);
  await archive(file("meta.json", Buffer.from("[]")));
  assert.match(await client.refused("import", "none", "a.tar"), /no metadata found/);
  await archive(file("meta.json", meta), file("big", Buffer.alloc(11 << 20)));
  assert.match(await client.refused("import", "none", "a.tar"), /more than 10485760 bytes/);
  writeFileSync(join(client.path, "a.zip"), "PK\x03\x04");
  assert.match(await client.refused("import", "none", "a.zip"), /not a valid zip file/);
  assert.match(await client.refused("import", "none", "nowhere"), /open nowhere: no such file or directory/);
  assert.equal(await client.ok("ls", "-q"), "default\nodd\n");
});

test("a context is imported from a zip file, and nothing else out of it", async () => {
  await using client = await openClient();
  const zip = writeZip([
    { name: "meta.json", data: Buffer.from('{"Name":"x","Endpoints":{"docker":{"Host":"tcp://h"}}}') },
    { name: "tls/docker/ca.pem", data: Buffer.from("the authority"), deflate: true },
    { name: "tls/docker/../../../../escaped", data: Buffer.from("x") },
    { name: "/etc/absolute", data: Buffer.from("x") },
  ]);
  writeFileSync(join(client.path, "a.zip"), zip);
  await client.ok("import", "zipped", "a.zip");
  assert.equal(
    await client.ok("inspect", "--format", "{{.Endpoints.docker.Host}} {{.TLSMaterial.docker}}", "zipped"),
    "tcp://h [ca.pem]\n",
  );
  writeFileSync(join(client.path, "b.zip"), writeZip([{ name: "a", data: Buffer.from("x") }]));
  assert.match(await client.refused("import", "none", "b.zip"), /no metadata found/);
});

test("commands that need no engine ask none", async () => {
  await using engine = await openFakeEngine({});
  const { code } = await runClient({ argv: ["context", "show"], host: engine.host });
  assert.deepEqual([code, engine.routes()], [0, []]);
});
