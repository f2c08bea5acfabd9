import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { isOwnCommand, wordsOnUnknown } from "../dispatch.ts";
import { type ClientOptions, runClient } from "../testing/run-client.ts";

/** Folders with programs in them: file → text, not executable where it begins with `plain`. */
async function openPlugins(files: Readonly<Record<string, string>>) {
  const dir = await openTempDir();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(dir.path, name, ".."), { recursive: true });
    await writeFile(join(dir.path, name), text);
    if (!text.startsWith("plain")) await chmod(join(dir.path, name), 0o755);
  }
  return dir;
}

const describing = (told: unknown) => `#!/bin/sh\ncat <<'END'\n${JSON.stringify(told)}\nEND\n`;

/** What the client would have become, or what it said. */
async function call(configDir: string, argv: readonly string[], options: Partial<ClientOptions> = {}) {
  let became: { path: string; argv: readonly string[]; environment: NodeJS.ProcessEnv } | undefined;
  const result = await runClient({
    host: "unix:///nonexistent/hawser.sock",
    configDir,
    ...options,
    argv,
    become: (path, args, environment) => {
      became = { path, argv: args, environment };
      throw new Error("another program");
    },
  });
  return { ...result, became };
}

describe("plugins of Docker's client", () => {
  test("all that was typed is given to the first program of that name", async () => {
    await using dir = await openPlugins({
      "extra/docker-compose": "#!/bin/sh\n",
      "cli-plugins/docker-compose": "#!/bin/sh\n",
      "cli-plugins/docker-buildx": "#!/bin/sh\n",
      "cli-plugins/docker-broken": "plain",
      "cli-plugins/docker-Loud": "#!/bin/sh\n",
    });
    const config = { cliPluginsExtraDirs: [join(dir.path, "extra")] };
    const line = ["--debug", "compose", "-f", "x.yaml", "up", "--help"];
    const compose = await call(dir.path, line, { config });
    assert.equal(compose.became?.path, join(dir.path, "extra/docker-compose"));
    assert.deepEqual(compose.became?.argv, line);
    const buildx = await call(dir.path, ["buildx", "ls"], { config });
    assert.equal(buildx.became?.path, join(dir.path, "cli-plugins/docker-buildx"));
    const helped = await call(dir.path, ["help", "buildx"]);
    assert.deepEqual(helped.became?.argv, ["help", "buildx"]);
    for (const name of ["broken", "Loud", "absent", "../cli-plugins/docker-buildx"]) {
      const unknown = await call(dir.path, [name]);
      assert.equal(unknown.became, undefined, name);
      assert.match(unknown.stderr, /^hawser: unknown command: hawser /);
    }
  });

  test("our own commands are never a plugin's", async () => {
    await using dir = await openPlugins({
      "cli-plugins/docker-ps": "#!/bin/sh\n",
      "cli-plugins/docker-volume": "#!/bin/sh\n",
    });
    for (const argv of [
      ["ps", "--help"],
      ["volume", "--help"],
      ["help", "ps"],
    ]) {
      const { became, stdout } = await call(dir.path, argv);
      assert.equal(became, undefined);
      assert.match(stdout, /^Usage: {2}hawser /);
    }
  });

  test("it finds our engine where Docker's own would be meant, and whatever else was chosen", async () => {
    await using dir = await openPlugins({ "cli-plugins/docker-compose": "#!/bin/sh\n" });
    const hostOf = async (argv: readonly string[], options: Partial<ClientOptions> = {}) => {
      const { became } = await call(dir.path, argv, options);
      assert.equal(became?.environment["DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"], "hawser");
      return became.environment["DOCKER_HOST"];
    };
    assert.equal(await hostOf(["compose"]), "unix:///nonexistent/hawser.sock");
    const environment = { DOCKER_HOST: "tcp://127.0.0.1:9" };
    assert.equal(await hostOf(["compose"], { environment }), "tcp://127.0.0.1:9");
    assert.equal(await hostOf(["-H", "tcp://127.0.0.1:9", "compose"]), undefined);
    assert.equal(await hostOf(["compose"], { config: { currentContext: "far" } }), undefined);
  });

  test("help and shells list them, without what is none", async () => {
    const metadata = { SchemaVersion: "0.1.0", Vendor: "Docker Inc.", ShortDescription: "Docker Compose" };
    await using dir = await openPlugins({
      "cli-plugins/docker-compose": describing(metadata),
      "cli-plugins/docker-anonymous": describing({ SchemaVersion: "0.1.0" }),
      "cli-plugins/docker-failing": "#!/bin/sh\nexit 1\n",
      "cli-plugins/docker-garbage": "#!/bin/sh\necho null\n",
    });
    const environment = { PATH: process.env["PATH"] ?? "" };
    const help = await call(dir.path, ["--help"], { environment });
    assert.match(help.stdout, /^ {2}compose\* {4}Docker Compose$/m);
    assert.doesNotMatch(help.stdout, /anonymous|failing|garbage/);
    const completed = await call(dir.path, ["__complete", "com"], { environment });
    assert.match(completed.stdout, /^compose$/m);
    const further = await call(dir.path, ["__complete", "compose", "u"], { environment });
    assert.deepEqual(further.became?.argv, ["__complete", "compose", "u"]);
  });

  test("info lists them, and says which are none", async () => {
    const metadata = {
      SchemaVersion: "0.1.0",
      Vendor: "Docker Inc.",
      Version: "2.40.3",
      ShortDescription: "Compose",
    };
    await using dir = await openPlugins({
      "cli-plugins/docker-compose": describing(metadata),
      "cli-plugins/docker-anonymous": describing({ SchemaVersion: "0.1.0" }),
      "cli-plugins/docker-failing": "#!/bin/sh\nexit 1\n",
    });
    const environment = { PATH: process.env["PATH"] ?? "" };
    const at = (name: string) => join(dir.path, "cli-plugins", name);
    const info = await call(dir.path, ["info"], { environment });
    const lines = [" Plugins:", "  compose: Compose (Docker Inc.)", "    Version:  2.40.3"];
    assert.ok(info.stdout.includes([...lines, `    Path:     ${at("docker-compose")}`, ""].join("\n")));
    assert.doesNotMatch(info.stdout, /anonymous|failing/);
    assert.match(
      info.stderr,
      /^WARNING: Plugin "\S+docker-failing" is not valid: failed to fetch metadata: /m,
    );
    const none = `WARNING: Plugin "${at("docker-anonymous")}" is not valid: plugin metadata does not define a vendor\n`;
    assert.ok(info.stderr.includes(none));
  });

  test("who misses one of Docker's is told where it goes", () => {
    assert.match(wordsOnUnknown("compose"), /\n.*put docker-compose into ~\/\.docker\/cli-plugins or /);
    assert.doesNotMatch(wordsOnUnknown("composer"), /plugin/);
  });

  test("a resident client leaves them to the process that was started", () => {
    const own = [["ps"], ["container", "nonsense"], ["help"], ["help", "run"], ["--nonsense", "x"], []];
    for (const argv of [...own, ["__complete", "com"], ["__complete", "run", "--n"]])
      assert.equal(isOwnCommand(argv), true, argv.join(" "));
    const others = [
      ["compose", "up"],
      ["-D", "compose"],
      ["help", "compose"],
      ["__complete", "-D", "compose", ""],
    ];
    for (const argv of others) assert.equal(isOwnCommand(argv), false, argv.join(" "));
  });
});
