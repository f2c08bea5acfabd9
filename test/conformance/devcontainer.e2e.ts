import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { root } from "../../tools/tree.ts";
import { dockerCli } from "../e2e/kit-cli.ts";
import { runCommandOk } from "../e2e/kit-process.ts";
import { type Json, textOf, useTarget } from "../e2e/kit-target.ts";

const target = useTarget({ images: ["ubuntu"] });
const program = join(root, "node_modules/@devcontainers/cli/devcontainer.js");

/** A project with a `.devcontainer`, and VS Code's CLI in it; its containers go with it. */
async function openProject(files: Readonly<Record<string, string>>) {
  const dir = await openTempDir("hawser-devcontainer-");
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(dir.path, "project/.devcontainer"), { recursive: true });
    await writeFile(join(dir.path, "project/.devcontainer", name), text);
  }
  const call = async (verb: string, ...args: string[]) =>
    await runCommandOk(
      [
        process.execPath,
        program,
        verb,
        "--workspace-folder",
        join(dir.path, "project"),
        "--docker-path",
        dockerCli(),
        "--user-data-folder",
        dir.path,
        ...args,
      ],
      // It asks the world for news; no test does.
      {
        env: { ...target.environment(), HTTPS_PROXY: "http://127.0.0.1:9", TMPDIR: dir.path },
        timeoutMs: 120_000,
      },
    );
  return {
    call,
    async up() {
      const told = JSON.parse((await call("up")).trim().split("\n").at(-1) ?? "") as Json;
      assert.equal(textOf(told["outcome"]), "success");
      return textOf(told["containerId"]);
    },
    async [Symbol.asyncDispose]() {
      const mine = ["--filter", `label=devcontainer.local_folder=${join(dir.path, "project")}`];
      const ids = (await target.ok("ps", "-aq", ...mine)).split("\n").filter((id) => id !== "");
      if (ids.length > 0) await target.ok("rm", "-f", ...ids);
      await dir[Symbol.asyncDispose]();
    },
  };
}

describe("VS Code's devcontainer CLI", () => {
  test("starts a container of an image, runs its commands, finds it again", async () => {
    await using project = await openProject({
      "devcontainer.json": JSON.stringify({
        image: "ubuntu:latest",
        containerEnv: { GREETING: "hello" },
        postCreateCommand: 'echo "$GREETING" >/made',
      }),
    });
    const id = await project.up();
    assert.equal(await project.call("exec", "cat", "/made"), "hello\n");
    assert.equal(await project.call("exec", "sh", "-c", "ls -A"), ".devcontainer\n");
    assert.equal(await project.up(), id);
    await target.ok("stop", "-t", "0", id);
    assert.equal(await project.up(), id);
    assert.equal(await project.call("exec", "cat", "/made"), "hello\n");
  });

  test("builds its image by the classic builder, as the docker CLI without plugins does", async () => {
    await using project = await openProject({
      "devcontainer.json": JSON.stringify({ build: { dockerfile: "Dockerfile", args: { WHAT: "argued" } } }),
      Dockerfile: "FROM ubuntu:latest\nARG WHAT\nRUN echo $WHAT >/built\n",
    });
    await project.up();
    assert.equal(await project.call("exec", "cat", "/built"), "argued\n");
  });
});
