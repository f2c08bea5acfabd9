import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { describe, test } from "node:test";
import { useOwnEngine } from "./kit-own-engine.ts";

const own = useOwnEngine();
const { ok, refused } = own;

const names = async (...filter: readonly string[]) =>
  (await ok("volume", "ls", "-q", ...filter)).split("\n").filter((name) => name !== "");

describe("volumes", () => {
  test("a named one keeps its data from container to container", async () => {
    await ok("run", "--rm", "-v", "named:/d", "busybox", "sh", "-c", "echo kept > /d/f");
    assert.equal(await ok("run", "--rm", "-v", "named:/x:ro", "busybox", "cat", "/x/f"), "kept");
    assert.match(await refused("run", "--rm", "-v", "named:/x:ro", "busybox", "touch", "/x/g"), /Read-only/);
    assert.equal(await ok("volume", "inspect", "-f", "{{.Driver}} {{.Scope}}", "named"), "local local");
    await ok("volume", "rm", "named");
    assert.match(await refused("volume", "inspect", "named"), /no such volume/i);
  });

  test("a new one gets what the image has there, with owner and mode", async () => {
    const script =
      "mkdir -p /srv/d /srv/m; echo i > /srv/d/f; chown 5:6 /srv/d/f; chown 7:8 /srv/d; chmod 1770 /srv/d; ln -s /etc/passwd /srv/d/l";
    await ok("run", "--name", "maker", "busybox", "sh", "-c", script);
    await ok("commit", "-c", "VOLUME /srv/d", "maker", "filled");
    await ok("rm", "maker");
    const look = "stat -c '%u:%g %a' /srv/d; stat -c '%u:%g' /srv/d/f; readlink /srv/d/l";
    const wanted = "7:8 1770\n5:6\n/etc/passwd";
    assert.equal(await ok("run", "--rm", "filled", "sh", "-c", look), wanted);
    assert.equal(await ok("run", "--rm", "-v", "up:/srv/d", "filled", "sh", "-c", look), wanted);
    assert.equal(await ok("run", "--rm", "-v", "no:/srv/d:nocopy", "filled", "ls", "/srv/d"), "");
    await ok("run", "--rm", "-v", "up:/srv/d", "filled", "sh", "-c", "rm /srv/d/f");
    assert.equal(await ok("run", "--rm", "-v", "up:/srv/d", "filled", "ls", "/srv/d"), "l");
    assert.deepEqual(await names(), ["no", "up"]);
    await ok("volume", "rm", "no", "up");
  });

  test("anonymous ones go with --rm and rm -v, and stay otherwise", async () => {
    await ok("run", "--rm", "-v", "/a", "busybox", "true");
    await ok("create", "--name", "first", "-v", "/a", "-v", "mine:/b", "busybox");
    const inspected = JSON.parse(await ok("inspect", "-f", "{{json .Mounts}}", "first")) as {
      Type: string;
      Name: string;
    }[];
    assert.deepEqual(
      inspected.map(({ Type }) => Type),
      ["volume", "volume"],
    );
    const anonymous = inspected.map(({ Name }) => Name).find((name) => name !== "mine") ?? "";
    assert.match(anonymous, /^[0-9a-f]{64}$/);
    assert.match(await refused("volume", "rm", "mine"), /volume is in use - \[[0-9a-f]{64}\]/);
    await ok("create", "--name", "second", "--volumes-from", "first:ro", "busybox");
    await ok("rm", "-v", "first");
    assert.deepEqual((await names()).toSorted(), [anonymous, "mine"].toSorted());
    await ok("rm", "-v", "second");
    assert.deepEqual(await names(), ["mine"]);
    await ok("create", "--name", "third", "-v", "/a", "busybox");
    await ok("rm", "third");
    assert.equal((await names()).length, 2);
    assert.equal((await names("-f", "dangling=true")).length, 2);
    assert.match(await ok("volume", "prune", "-f"), /Total reclaimed space: 0B/);
    const left = await names();
    await ok("volume", "rm", ...left);
  });

  test("survive the engine's death, with what they are bound to", async () => {
    await ok("run", "-d", "--name", "holder", "-v", "lasting:/l", "-v", "/anon", "busybox", "sleep", "1000");
    await ok("volume", "create", "--label", "k=v", "idle");
    await own.engine.kill();
    await own.engine.start();
    assert.equal((await names()).length, 3);
    assert.match(await refused("volume", "rm", "lasting"), /in use/);
    assert.deepEqual(await names("-f", "label=k=v"), ["idle"]);
    const place = await ok("volume", "inspect", "-f", "{{.Mountpoint}}", "lasting");
    await ok("rm", "-fv", "holder");
    assert.deepEqual((await names()).toSorted(), ["idle", "lasting"]);
    await ok("volume", "rm", "idle", "lasting");
    await assert.rejects(access(place));
  });

  test("are refused in Docker's words", async () => {
    assert.match(await refused("volume", "create", "a"), /volume name is too short/);
    assert.match(
      await refused("volume", "create", "x/y"),
      /includes invalid characters for a local volume name/,
    );
    assert.match(
      await refused("volume", "create", "-d", "nodriver", "vv"),
      /error looking up volume plugin nodriver/,
    );
    assert.match(await refused("volume", "create", "-o", "foo=bar", "vv"), /invalid option: "foo"/);
    assert.match(await refused("volume", "rm", "vv"), /get vv: no such volume/);
    assert.match(
      await refused("run", "--rm", "--volumes-from", "nobody", "busybox"),
      /No such container: nobody/,
    );
  });
});
