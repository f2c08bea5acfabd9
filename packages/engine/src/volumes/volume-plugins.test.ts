import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { Fault } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { VolumePlugins } from "./volume-plugins.ts";

/** A plugin of which each call is answered as `answer` likes. */
async function openPlugin(socket: string, answer: (method: string, response: ServerResponse) => void) {
  const server = createServer((request, response) => {
    const method = (request.url ?? "").slice(1);
    request.resume();
    if (method === "Plugin.Activate") response.end('{"Implements":["VolumeDriver"]}');
    else answer(method, response);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(socket, resolve);
  await promise;
  return {
    [Symbol.dispose]: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

test("plugins are found by socket, by file, one folder down, and never outside of the folders", async () => {
  await using dir = await openTempDir();
  const folder = join(dir.path, "plugins");
  await mkdir(join(folder, "deep"), { recursive: true });
  const end = (_method: string, response: ServerResponse) => void response.end("{}");
  using _outside = await openPlugin(join(dir.path, "outside.sock"), end);
  using _near = await openPlugin(join(folder, "near.sock"), end);
  using _deep = await openPlugin(join(folder, "deep/deep.sock"), end);
  await writeFile(join(folder, "named.spec"), `unix://${join(folder, "near.sock")}\n`);
  await writeFile(
    join(folder, "other.json"),
    JSON.stringify({ Name: "x", Addr: `unix://${join(folder, "near.sock")}` }),
  );
  await writeFile(join(folder, "remote.spec"), "tcp://192.0.2.1:80\n");
  await writeFile(join(folder, "broken.json"), "{");
  await symlink("nowhere", join(folder, "dangling.sock"));
  const plugins = new VolumePlugins([join(dir.path, "absent"), folder]);
  assert.deepEqual(await plugins.names(), ["deep", "named", "near", "other"]);
  for (const name of ["near", "deep", "named", "other"]) assert.equal((await plugins.get(name)).name, name);
  for (const name of ["../outside", "remote", "broken", "dangling", "", ".", "near.sock", "a\0b"]) {
    await assert.rejects(plugins.get(name), (error) => Fault.is(error, "not-found"), name);
  }
});

test("whatever a plugin answers is taken for what it is", async () => {
  await using dir = await openTempDir();
  let answer = (response: ServerResponse): void => void response.end("{}");
  using _plugin = await openPlugin(join(dir.path, "odd.sock"), (_method, response) => answer(response));
  const plugin = await new VolumePlugins([dir.path]).get("odd");
  const says = (text: string, status = 200) => {
    answer = (response) => void response.writeHead(status).end(text);
  };
  says('{"Volumes":[null,1,{"Name":7},{"Name":"ok","Mountpoint":5,"Status":"x"}]}');
  assert.deepEqual(await plugin.list(), [{ name: "ok", mountpoint: "", createdAt: "" }]);
  says('{"Volumes":{"length":1e9}}');
  assert.deepEqual(await plugin.list(), []);
  says("[]");
  await assert.rejects(plugin.list(), (error) => Fault.is(error, "data-loss"));
  says("it broke", 500);
  await assert.rejects(plugin.create("v", {}), { message: "VolumeDriver.Create: it broke" });
  says('{"Err":"no such volume"}', 404);
  assert.equal(await plugin.find("v"), undefined);
  for (const folder of ["", "relative", 7, null]) {
    says(JSON.stringify({ Mountpoint: folder }));
    await assert.rejects(plugin.mount("v", "c"), (error) => Fault.is(error, "data-loss"));
  }
  answer = (response) => {
    const piece = Buffer.alloc(1 << 20, 0x20);
    const more = () => {
      while (!response.destroyed && response.write(piece));
    };
    response.on("drain", more);
    more();
  };
  await assert.rejects(plugin.list(), { message: /the answer is too long/ });
  answer = (response) => void response.destroy();
  await assert.rejects(plugin.list(), (error) => Fault.is(error, "unavailable"));
});
