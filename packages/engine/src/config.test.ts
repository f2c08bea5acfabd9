import { deepEqual, equal, throws } from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { parseEngineConfig } from "./config.ts";

async function openPrograms() {
  const dir = await openTempDir();
  await mkdir(join(dir.path, "native"));
  await writeFile(join(dir.path, "native/hawser-launcher"), "");
  return Object.assign(dir, { native: join(dir.path, "native") });
}

test("parseEngineConfig() puts what belongs together below the exec root", async () => {
  await using dir = await openPrograms();
  const config = parseEngineConfig(
    [
      "--exec-root",
      "/run/x",
      "--native-dir",
      dir.native,
      "--add-runtime",
      "mine=/opt/mine",
      "--default-runtime=mine",
    ],
    { path: "" },
  );
  equal(config.pidFile, "/run/x/engine.pid");
  deepEqual(config.hosts, ["unix:///run/x/hawser.sock"]);
  equal(config.defaultRuntime, "mine");
  equal(config.runtimes["mine"], "/opt/mine");
});

test("parseEngineConfig() says what is wrong with a flag and what is missing", async () => {
  await using dir = await openPrograms();
  const parse = (...flags: string[]) =>
    parseEngineConfig(["--native-dir", dir.native, ...flags], { path: "" });
  throws(() => parse("--nonsense"), { kind: "invalid-argument" });
  throws(() => parse("--add-runtime", "mine"), {
    kind: "invalid-argument",
    message: /name=\/absolute\/path/,
  });
  throws(() => parse("--default-runtime", "mine"), { kind: "unavailable", message: /mine/ });
  throws(() => parse("--native-dir", join(dir.path, "none")), {
    kind: "unavailable",
    message: /make -C native/,
  });
});
