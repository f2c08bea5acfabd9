import assert from "node:assert/strict";
import test from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { commands, groups } from "../command-table.ts";
import { openFakeEngine } from "../testing/fake-engine.ts";
import { runClient } from "../testing/run-client.ts";
import { argumentSources, flagSources } from "./argument-sources.ts";

async function open() {
  const engine = await openFakeEngine({
    replies: {
      "GET /containers/json": ({ query }) => {
        const web = { Names: ["/web"], State: "running" };
        return query.has("filters")
          ? /running/.test(query.get("filters") ?? "")
            ? [web]
            : []
          : [web, { Names: ["/db"] }];
      },
      "GET /images/json": () => [{ RepoTags: ["busybox:latest", "<none>:<none>"] }, { RepoTags: null }],
      "GET /networks": () => [{ Name: "bridge" }, { Name: "mine" }],
      "GET /volumes": () => ({ Volumes: [{ Name: "data" }], Warnings: null }),
    },
  });
  const complete = async (...words: string[]) => {
    const run = await runClient({
      argv: ["__complete", ...words],
      host: engine.host,
      environment: { HOME: "/", TERM: "x" },
    });
    assert.deepEqual([run.code, run.stderr], [0, ""]);
    const lines = run.stdout.trimEnd().split("\n");
    return {
      words: lines.slice(0, -1).map((line) => line.split("\t")[0]),
      directive: lines.at(-1),
      text: run.stdout,
    };
  };
  return { complete, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
}

test("commands, verbs and options are told with what they are about", async () => {
  await using shell = await open();
  const top = await shell.complete("");
  assert.ok(["run", "ps", "container", "login"].every((word) => top.words.includes(word)));
  assert.equal(top.words.includes("completion"), false);
  assert.equal(top.directive, ":4");
  assert.match((await shell.complete("container", "a")).text, /^attach\tAttach local/);
  assert.deepEqual((await shell.complete("run", "--net")).words, ["--network", "--network-alias"]);
  assert.deepEqual((await shell.complete("run", "-i")).words, ["-i"]);
  assert.deepEqual((await shell.complete("--cont")).words, ["--context"]);
  assert.deepEqual((await shell.complete("-H", "unix:///x", "ima")).words, ["image", "images"]);
  assert.equal((await shell.complete("nope", "")).directive, ":0");
});

test("arguments are those that a command can be about", async () => {
  await using shell = await open();
  const of = async (...words: string[]) => (await shell.complete(...words, "")).words;
  assert.deepEqual(await of("rm"), ["web", "db"]);
  assert.deepEqual(await of("rm", "web"), ["db"]);
  assert.deepEqual(await of("exec", "-it"), ["web"]);
  assert.deepEqual(await of("container", "stop"), ["web"]);
  assert.deepEqual(await of("run", "--rm"), ["busybox:latest"]);
  assert.deepEqual(await of("network", "connect"), ["bridge", "mine"]);
  assert.deepEqual(await of("network", "connect", "mine"), ["web", "db"]);
  assert.deepEqual(await of("volume", "inspect"), ["data"]);
  assert.deepEqual(await of("inspect"), ["web", "db", "busybox:latest", "bridge", "mine", "data"]);
  assert.deepEqual(await of("completion"), ["bash", "fish", "zsh"]);
  // what follows the image is the container's command
  assert.deepEqual(await shell.complete("run", "busybox", "-"), { words: [], directive: ":0", text: ":0\n" });
  assert.equal((await shell.complete("build", "")).directive, ":16");
});

test("values of options, in each of their forms", async () => {
  await using shell = await open();
  assert.deepEqual((await shell.complete("run", "--network", "")).words, ["bridge", "mine"]);
  assert.deepEqual((await shell.complete("run", "--network=m")).words, ["mine"]);
  assert.deepEqual((await shell.complete("run", "-ite", "")).words, ["HOME", "TERM"]);
  assert.deepEqual((await shell.complete("run", "--restart", "un")).words, ["unless-stopped"]);
  assert.deepEqual((await shell.complete("kill", "-s", "KI")).words, ["KILL"]);
  assert.deepEqual((await shell.complete("-l", "w")).words, ["warn"]);
  assert.equal((await shell.complete("load", "-i", "")).directive, ":0");
  assert.equal((await shell.complete("logs", "--tail", "")).directive, ":0");
});

test("nobody there is nothing to choose from", async () => {
  await using dir = await openTempDir();
  const { code, stdout, stderr } = await runClient({
    argv: ["__complete", "rm", ""],
    host: `unix://${dir.path}/none.sock`,
    environment: { HAWSER_ENGINE_COMMAND: '["/bin/false"]' },
  });
  assert.deepEqual([code, stdout, stderr], [0, ":4\n", ""]);
});

test("the tables name commands and options that there are", async () => {
  const paths = new Set(commands.map(({ path }) => path));
  assert.deepEqual(
    Object.keys(argumentSources).filter((path) => !paths.has(path)),
    [],
  );
  const flags = new Set(["config", "context", "log-level"]);
  for (const { load } of commands)
    for (const name of Object.keys((await load()).command.flags)) flags.add(name);
  assert.deepEqual(
    Object.keys(flagSources).filter((name) => !flags.has(name)),
    [],
  );
  assert.ok(Object.keys(groups).length > 0);
});
