import assert from "node:assert/strict";
import { test } from "node:test";
import { openApi } from "../testing/open-api.ts";
import { absentRoutes } from "./absent.ts";

test("what is not here says so in Docker's way", async () => {
  await using api = await openApi(absentRoutes());
  const message = async (method: string, path: string) => {
    const { status, text } = await api.ask(method, path);
    return [status, (JSON.parse(text) as { readonly message: string }).message];
  };
  const plugins = await api.ask("GET", "/v1.41/plugins");
  assert.deepEqual([plugins.status, plugins.text], [200, "[]\n"]);
  for (const path of ["/nodes", "/services/web/logs", "/swarm", "/v1.41/tasks"]) {
    const [status, words] = await message("GET", path);
    assert.equal(status, 503);
    assert.match(String(words), /^This node is not a swarm manager\./);
  }
  assert.deepEqual(await message("POST", "/swarm/init"), [501, "a swarm is not available in this version"]);
  assert.equal((await message("POST", "/build/cancel"))[0], 501);
  assert.equal((await message("GET", "/unheard-of"))[0], 404);
});
