import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { ask } from "./kit-http.ts";
import { useOwnEngine } from "./kit-own-engine.ts";
import { textOf } from "./kit-target.ts";

let plugin: Plugin;
const own = useOwnEngine({
  flags: (folder) => ["--plugin-folder", folder],
  prepare: async (folder) => {
    plugin = await openPlugin(join(folder, "keeper.sock"), join(folder, "kept"));
  },
});
const { ok, refused } = own;

after(() => plugin.server.close());

describe("a volume of a plugin", () => {
  test("is made, mounted for each container, unmounted and removed by it", async () => {
    await ok("volume", "create", "-d", "keeper", "-o", "colour=red", "mine");
    assert.deepEqual(plugin.volumes.get("mine")?.options, { colour: "red" });
    assert.equal(
      await ok(
        "volume",
        "inspect",
        "-f",
        "{{.Driver}} {{.Scope}} {{.Mountpoint}} {{.Status.state}} {{.Options.colour}}",
        "mine",
      ),
      `keeper global ${join(own.folder, "kept/mine")} fine red`,
    );
    await ok(
      "run",
      "-d",
      "--name",
      "one",
      "-v",
      "mine:/m",
      "busybox",
      "sh",
      "-c",
      "echo x > /m/f; sleep 1000",
    );
    const one = await ok("inspect", "-f", "{{.Id}}", "one");
    assert.deepEqual(plugin.usersOf("mine"), [one]);
    assert.equal(
      await ok("inspect", "-f", "{{range .Mounts}}{{.Driver}} {{.Name}}{{end}}", "one"),
      "keeper mine",
    );
    const mount = "type=volume,src=mine,dst=/m,volume-driver=keeper";
    assert.equal(await ok("run", "--rm", "--mount", mount, "busybox", "cat", "/m/f"), "x");
    assert.equal(await readFile(join(own.folder, "kept/mine/f"), "utf8"), "x\n");
    assert.match(await refused("volume", "rm", "mine"), /volume is in use/);
    await own.engine.kill();
    await own.engine.start(["--plugin-folder", own.folder]);
    assert.deepEqual(plugin.usersOf("mine"), [one]);
    await ok("rm", "-f", "one");
    await eventually(() => plugin.usersOf("mine").length === 0, { what: "the plugin was told" });
    await ok("create", "--name", "still", "-v", "mine:/m", "busybox");
    assert.match(await ok("cp", "still:/m/f", "-"), /x/);
    await eventually(() => plugin.usersOf("mine").length === 0, { what: "the plugin was told" });
    await ok("rm", "still");
    await ok("volume", "rm", "mine");
    assert.equal(plugin.volumes.has("mine"), false);
  });

  test("is filled from the image, and goes with its container when nobody named it", async () => {
    assert.match(
      await ok("run", "--rm", "--volume-driver", "keeper", "-v", "etc:/etc", "busybox", "ls", "/etc"),
      /passwd/,
    );
    await ok("volume", "rm", "etc");
    await ok("run", "--rm", "--volume-driver", "keeper", "-v", "/anon", "busybox", "touch", "/anon/x");
    await eventually(() => plugin.volumes.size === 0, { what: "the volume is gone" });
  });

  test("that the plugin tells of is listed and used without being made", async () => {
    await plugin.add("foreign");
    await plugin.add("nameless");
    await ok("run", "--rm", "-v", "nameless:/n", "busybox", "touch", "/n/x");
    assert.equal(await ok("volume", "inspect", "-f", "{{.Driver}}", "nameless"), "keeper");
    await ok("volume", "rm", "nameless");
    await ok("volume", "create", "own");
    assert.equal(await ok("volume", "ls", "--format", "{{.Driver}} {{.Name}}"), "keeper foreign\nlocal own");
    assert.equal(await ok("volume", "ls", "-q", "-f", "driver=keeper"), "foreign");
    assert.equal(await ok("volume", "inspect", "-f", "{{.Driver}}", "foreign"), "keeper");
    const before = plugin.calls("VolumeDriver.Create");
    await ok("run", "--rm", "--volume-driver", "keeper", "-v", "foreign:/f", "busybox", "touch", "/f/x");
    await ok("run", "--rm", "-v", "foreign:/f", "busybox", "ls", "/f/x");
    assert.equal(plugin.calls("VolumeDriver.Create"), before);
    assert.match(
      await refused("volume", "create", "-d", "keeper", "own"),
      /driver 'local' already has volume 'own': volume name must be unique/,
    );
    assert.match(await ok("info", "-f", "{{.Plugins.Volume}}"), /\[local keeper\]/);
    await ok("volume", "prune", "-af");
    assert.equal(await ok("volume", "ls", "-q"), "foreign");
    await ok("volume", "rm", "foreign");
  });

  test("fails in the plugin's words, and nothing is left", async () => {
    assert.match(
      await refused("volume", "create", "-d", "keeper", "-o", "fail=create", "bad"),
      /create bad: no room in the keep/,
    );
    assert.equal(await ok("volume", "ls", "-q"), "");
    await ok("volume", "create", "-d", "keeper", "-o", "fail=mount", "bad");
    assert.match(
      await refused("run", "--rm", "-v", "bad:/b:nocopy", "busybox"),
      /error while mounting volume 'bad': the door is shut/,
    );
    await ok("volume", "rm", "bad");
    await ok("volume", "create", "-d", "keeper", "-o", "fail=path", "odd");
    assert.match(
      await refused("run", "--rm", "-v", "odd:/b:nocopy", "busybox"),
      /no folder that odd is mounted at/,
    );
    await ok("volume", "rm", "odd");
    await ok("volume", "create", "-d", "keeper", "-o", "fail=remove", "sticky");
    assert.match(await refused("volume", "rm", "sticky"), /remove sticky: it is nailed down/);
    await ok("volume", "rm", "-f", "sticky");
    plugin.volumes.clear();
    assert.match(
      await refused("volume", "create", "-d", "absent", "vv"),
      /create vv: error looking up volume plugin absent: plugin "absent" not found/,
    );
    assert.match(await refused("volume", "create", "-d", "../keeper", "vv"), /not found/);
  });

  test("that does not answer is warned of, and holds up nothing else", async () => {
    const dead = join(own.folder, "dead.sock");
    const server = createServer().listen(dead);
    await new Promise((resolve) => server.once("listening", resolve));
    // A socket whose server is gone.
    await rm(join(own.folder, "gone"), { force: true });
    await writeFile(join(own.folder, "gone.spec"), `unix://${join(own.folder, "nobody.sock")}\n`);
    try {
      server.on("request", (_request, response) => response.end("no JSON"));
      await ok("volume", "create", "own");
      assert.equal(await ok("volume", "ls", "-q"), "own");
      const warnings = textOf((await ask(own.engine.socket, "GET /volumes")).json()["Warnings"]);
      assert.match(warnings, /Cannot reach volume plugin gone/);
      assert.match(warnings, /Cannot use volume plugin dead: it has answered with no JSON/);
      assert.match(await refused("volume", "create", "-d", "gone", "vv"), /Cannot reach volume plugin gone/);
      await ok("volume", "rm", "own");
    } finally {
      server.close();
      await rm(join(own.folder, "gone.spec"));
      await rm(dead, { force: true });
    }
  });
});

interface Plugin {
  readonly server: Server;
  readonly volumes: Map<
    string,
    { readonly options: Readonly<Record<string, string>>; readonly users: Set<string> }
  >;
  usersOf(name: string): readonly string[];
  calls(method: string): number;
  add(name: string): Promise<void>;
}

/** A volume driver as its author would write it: folders below `root`. */
async function openPlugin(socket: string, root: string): Promise<Plugin> {
  const volumes: Plugin["volumes"] = new Map();
  const calls: string[] = [];
  const add = async (name: string, options: Readonly<Record<string, string>> = {}) => {
    volumes.set(name, { options, users: new Set() });
    await mkdir(join(root, name), { recursive: true });
  };
  const describeVolume = (name: string) => ({
    Name: name,
    Mountpoint: join(root, name),
    CreatedAt: "2024-01-02T03:04:05Z",
    Status: { state: "fine" },
  });
  const answer = async (
    method: string,
    body: { Name?: string; ID?: string; Opts?: Record<string, string> },
  ): Promise<object> => {
    const { Name: name = "", ID: user = "", Opts: options = {} } = body;
    const volume = volumes.get(name);
    switch (method) {
      case "Plugin.Activate":
        return { Implements: ["VolumeDriver"] };
      case "VolumeDriver.Capabilities":
        return { Capabilities: { Scope: "global" } };
      case "VolumeDriver.List":
        return { Volumes: [...volumes.keys()].map(describeVolume) };
      case "VolumeDriver.Create":
        if (options["fail"] === "create") return { Err: "no room in the keep" };
        await add(name, options);
        return {};
    }
    if (volume === undefined) return { Err: `no such volume: ${name}` };
    switch (method) {
      case "VolumeDriver.Get":
        return { Volume: describeVolume(name) };
      case "VolumeDriver.Mount":
        if (volume.options["fail"] === "mount") return { Err: "the door is shut" };
        if (volume.options["fail"] === "path") return { Mountpoint: "relative" };
        volume.users.add(user);
        return { Mountpoint: join(root, name) };
      case "VolumeDriver.Unmount":
        volume.users.delete(user);
        return {};
      case "VolumeDriver.Remove":
        if (volume.options["fail"] === "remove") return { Err: "it is nailed down" };
        volumes.delete(name);
        return {};
      default:
        return { Err: `unknown: ${method}` };
    }
  };
  const server = createServer((request, response) => {
    const method = (request.url ?? "").slice(1);
    calls.push(method);
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    request.on("end", () => {
      void answer(method, JSON.parse(text) as object).then((body) => response.end(JSON.stringify(body)));
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(socket, resolve);
  await promise;
  return {
    server,
    volumes,
    usersOf: (name) => [...(volumes.get(name)?.users ?? [])],
    calls: (method) => calls.filter((each) => each === method).length,
    add,
  };
}
