import assert from "node:assert/strict";
import { test } from "node:test";
import { clients, runClient, useTarget } from "./kit-target.ts";

const target = useTarget();

for (const [number, client] of clients.entries()) {
  const call = (args: readonly string[], input?: string) =>
    runClient(target, client, { args, ...(input !== undefined && { input }) });
  const ok = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await call(args);
    assert.deepEqual([exitCode, stderr], [0, ""], args.join(" "));
    return stdout;
  };

  test(`${client.name}: every verb of network, and port`, async () => {
    const subnet = `10.9${number}.0`;
    const id = (
      await ok(
        "network",
        "create",
        "--subnet",
        `${subnet}.0/24`,
        "--gateway",
        `${subnet}.9`,
        "--aux-address",
        `a=${subnet}.5`,
        "--label",
        "x=y",
        "own",
      )
    ).trim();
    assert.match(id, /^[0-9a-f]{64}$/);
    const table = await ok("network", "ls", "--filter", "label=x");
    assert.match(table, /^NETWORK ID {5}NAME +DRIVER +SCOPE\n[0-9a-f]{12} +own +bridge +local\n$/);
    assert.equal(await ok("network", "ls", "-q", "--no-trunc", "-f", "name=own"), `${id}\n`);
    assert.equal(
      await ok("network", "ls", "-f", "type=builtin", "--format", "{{.Name}}"),
      "bridge\nhost\nnone\n",
    );
    const format = "{{(index .IPAM.Config 0).Gateway}} {{.Labels.x}}";
    assert.equal(await ok("network", "inspect", "-f", format, "own"), `${subnet}.9 y\n`);
    const run = [
      "run",
      "-d",
      "--name",
      "c1",
      "--network",
      "own",
      "--network-alias",
      "al",
      "--ip",
      `${subnet}.7`,
    ];
    const publish = ["-p", "127.0.0.1:28090:80", "-p", "127.0.0.1:28091:81/udp"];
    await ok(...run, ...publish, "busybox", "sleep", "600");
    // Docker's client before 23 tells them in no order.
    const told = (await ok("port", "c1")).trim().split("\n").toSorted();
    assert.deepEqual(told, ["80/tcp -> 127.0.0.1:28090", "81/udp -> 127.0.0.1:28091"]);
    assert.equal(await ok("port", "c1", "81/udp"), "127.0.0.1:28091\n");
    const unpublished = await call(["port", "c1", "82"]);
    assert.equal(unpublished.exitCode, 1);
    assert.match(unpublished.stderr, /82.*c1/);
    await ok("network", "connect", "bridge", "c1");
    await ok("network", "disconnect", "own", "c1");
    await ok("network", "connect", "--ip", `${subnet}.8`, "--alias", "again", "own", "c1");
    const wanted =
      "{{.NetworkSettings.Networks.own.IPAddress}} {{index .NetworkSettings.Networks.own.Aliases 0}}";
    assert.equal(await ok("inspect", "-f", wanted, "c1"), `${subnet}.8 again\n`);
    const used = await call(["network", "rm", "own"]);
    assert.equal(used.exitCode, 1);
    assert.match(used.stderr, /network own has active endpoints/);
    await ok("rm", "-f", "c1");
    const declined = await call(["network", "prune"], "n\n");
    assert.match(declined.stdout, /Are you sure you want to continue\? \[y\/N\]/);
    assert.equal(await ok("network", "ls", "-q", "--no-trunc", "-f", "name=own"), `${id}\n`);
    const agreed = await call(["network", "prune"], "y\n");
    assert.match(agreed.stdout, /Deleted Networks:\nown\n/);
    const gone = await call(["network", "inspect", "own"]);
    assert.equal(gone.exitCode, 1);
    assert.match(gone.stderr, /network own not found|No such network: own/);
  });
}
