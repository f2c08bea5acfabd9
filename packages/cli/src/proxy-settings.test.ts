import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { readConfigFile } from "./config-file.ts";
import { proxyVariables } from "./proxy-settings.ts";
import { openFakeEngine } from "./testing/fake-engine.ts";
import { runClient } from "./testing/run-client.ts";

const proxies = {
  default: { httpProxy: "http://p:1", noProxy: "localhost" },
  "tcp://own:2376": { allProxy: "socks5://s:2" },
};

test("what the settings say of an engine, else of all, and never what was said already", () => {
  const of = (host: string, ...said: readonly string[]) =>
    proxyVariables({ proxies }, { host, said: (name) => said.includes(name) });
  assert.deepEqual(of("unix:///x"), {
    HTTP_PROXY: "http://p:1",
    http_proxy: "http://p:1",
    NO_PROXY: "localhost",
    no_proxy: "localhost",
  });
  assert.deepEqual(of("unix:///x", "HTTP_PROXY", "no_proxy"), {
    http_proxy: "http://p:1",
    NO_PROXY: "localhost",
  });
  assert.deepEqual(of("tcp://own:2376"), { ALL_PROXY: "socks5://s:2", all_proxy: "socks5://s:2" });
  assert.deepEqual(proxyVariables({}, { host: "__proto__", said: () => false }), {});
});

test("a settings file of any form is survived", async () => {
  await using dir = await openTempDir();
  const read = (text: unknown) => {
    writeFileSync(join(dir.path, "config.json"), JSON.stringify(text));
    return readConfigFile(dir.path, () => {}).proxies;
  };
  assert.deepEqual(read({ proxies }), proxies);
  assert.equal(read({ proxies: 7 }), undefined);
  assert.deepEqual(read({ proxies: { default: { httpProxy: 7, noProxy: "x" }, other: null } }), {
    default: { noProxy: "x" },
    other: {},
  });
});

test("containers are told of proxies, unless an option says another thing", async () => {
  await using engine = await openFakeEngine({
    replies: { "POST /containers/create": () => ({ Id: "x".repeat(64) }) },
  });
  const argv = ["create", "-e", "A=b", "-e", "http_proxy=mine", "busybox"];
  const { code } = await runClient({ argv, host: engine.host, config: { proxies } });
  assert.equal(code, 0);
  const [created] = engine.requests.map(({ body }) => body as { readonly Env?: readonly string[] });
  assert.deepEqual(created?.Env, [
    "A=b",
    "http_proxy=mine",
    "HTTP_PROXY=http://p:1",
    "NO_PROXY=localhost",
    "no_proxy=localhost",
  ]);
});
