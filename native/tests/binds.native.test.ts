import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { lstat, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildPrograms, Rig } from "./testing/rig.ts";

let rig: Rig;
let folder: string;
before(async () => {
  buildPrograms();
  rig = await Rig.open();
  folder = join(rig.root, "bound");
  await mkdir(join(folder, "in/side"), { recursive: true });
  await writeFile(join(folder, "in/side/f"), "f");
  await symlink("/side", join(folder, "in/link"));
  await symlink(folder, join(folder, "in/out"));
});
after(async () => {
  await rm(folder, { recursive: true });
  await rig[Symbol.asyncDispose]();
});

const within = (path: string) => ({ bind: [join(folder, "in")], "bind-within": [`0:${path}`] });

test("a part of a bind is found inside of it, and everything goes with the container", async () => {
  const container = await rig.run({ args: ["sleep", "1000"], fields: within("link/f") });
  assert.equal(existsSync(join(container.dir, "binds/0")), true);
  await container.control.command("kill", { signal: 9 });
  await rig.expectGone(container);
  assert.equal(existsSync(join(container.dir, "binds")), false);
});

test("a part that is not there, or outside, is no reason to do more than say so", async () => {
  for (const path of ["none", "out/in/side/f", "side/f/g"]) {
    const container = await rig.start({ args: ["true"], fields: within(path) });
    const failed = await container.control.wait("failed");
    assert.equal(failed["stage"], "mount");
    assert.match(failed["message"] ?? "", /^cannot access path .*\/in\/.*: (No such file|Not a directory)/);
    assert.equal(await container.control.next(), undefined);
    assert.equal(existsSync(join(container.dir, "binds")), false);
  }
});

test("options that make no sense are refused", async () => {
  for (const [key, value] of [
    ["bind-within", "x"],
    ["bind-within", ":x"],
    ["bind-layer", "0:relative"],
    ["bind-upper", "0:relative"],
    ["bind-work", "0:relative"],
    ["bind-uids", "12345678:0 0 1"],
  ] as const) {
    const container = await rig.start({ args: ["true"], fields: { bind: [folder], [key]: [value] } });
    assert.equal((await container.control.wait("failed"))["stage"], "protocol");
  }
  const fields = { bind: [folder], "bind-uids": ["0:nonsense"], "bind-gids": ["0:0 0 1"] };
  const container = await rig.start({ args: ["true"], fields });
  const failed = await container.control.wait("failed");
  assert.match(failed["message"] ?? "", /^Cannot make a user namespace for a mount: Invalid argument/);
});

test("layers as one tree take what is written where they have a writable pair", async () => {
  const at = (name: string) => join(folder, name);
  for (const name of ["upper", "work"]) await mkdir(at(name));
  const layers = { bind: [folder], "bind-layer": [`0:${at("in")}`] };
  const fields = { ...layers, "bind-upper": [`0:${at("upper")}`], "bind-work": [`0:${at("work")}`] };
  const container = await rig.run({
    args: ["sh", "-c", "echo new > /tmp/side/f; rm /tmp/link"],
    fields,
    configure({ mounts }, dir) {
      mounts.push({ destination: "/tmp", type: "bind", source: join(dir, "binds/0"), options: ["rbind"] });
    },
  });
  await rig.expectGone(container);
  assert.equal(await readFile(at("upper/side/f"), "utf8"), "new\n");
  assert.equal((await lstat(at("upper/link"))).isCharacterDevice(), true);
  assert.equal(await readFile(join(folder, "in/side/f"), "utf8"), "f");
});
