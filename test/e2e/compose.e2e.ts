import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { root } from "../../tools/tree.ts";
import { serversArchive } from "../images/debian.ts";
import { type BuildkitClient, openBuildkitClient, openFiles, pluginSuites } from "./kit-buildkit.ts";
import { type CommandResult, runCommandOk } from "./kit-process.ts";
import { useTarget } from "./kit-target.ts";

/** A web server that shows what a worker makes of what is in a database, each started when the one before it is healthy. */
const stack = (marker: string) => `
services:
  database:
    image: redis:debian
    command: redis-server --bind 0.0.0.0 --protected-mode no --dir /data --appendonly yes
    volumes: [data:/data]
    networks: { back: { aliases: [db] } }
    healthcheck: { test: [CMD, redis-cli, ping], interval: 200ms, timeout: 5s, retries: 100 }
  schema:
    image: redis:debian
    command: [redis-cli, -h, db, setnx, visits, "40"]
    networks: [back]
    depends_on: { database: { condition: service_healthy } }
  worker:
    image: redis:debian
    command:
      - sh
      - -c
      - |
        redis-cli -h database incr visits
        while :; do echo "${marker} $$(redis-cli -h db get visits)" > /www/new; mv /www/new /www/index.html; sleep 0.2; done
    volumes: [pages:/www]
    networks: [back]
    stop_grace_period: 0s
    depends_on:
      database: { condition: service_healthy, restart: true }
      schema: { condition: service_completed_successfully }
    healthcheck: { test: [CMD, test, -e, /www/index.html], interval: 200ms, retries: 100 }
  web:
    image: busybox
    command: [httpd, -f, -p, "80", -h, /www]
    ports: ["127.0.0.1::80"]
    volumes: [{ type: volume, source: pages, target: /www, read_only: true }]
    networks: { front: {}, back: {} }
    stop_grace_period: 0s
    depends_on: { worker: { condition: service_healthy } }
    labels: { tier: "${marker}" }
volumes: { data: {}, pages: { driver_opts: { type: tmpfs, device: tmpfs, o: size=1m } } }
networks: { front: {}, back: { internal: true } }
`;

const target = useTarget({
  prepare: async (opened) => {
    await opened.ok("import", await serversArchive(), "redis:debian");
  },
});

describe("Compose v1", () => {
  const packages = join(root, "build/compose-v1");
  const program = ["/usr/bin/python3", join(packages, "bin/docker-compose")] as const;
  const path = [join(packages, "lib/python3/dist-packages"), join(packages, "lib/python3.11")].join(":");

  test("brings the same stack up, changes its scale, and takes it away", async () => {
    // It does not know what makes a dependent start again.
    await using dir = await openFiles({ "compose.yaml": stack("old").replace(", restart: true", "") });
    const ok = async (...args: readonly string[]) =>
      (
        await runCommandOk([...program, "-p", "stack-v1", ...args], {
          cwd: dir.path,
          env: { ...target.environment(), PYTHONPATH: path },
        })
      ).trim();
    await ok("up", "-d");
    const address = await ok("port", "web", "80");
    await eventually(async () => (await (await fetch(`http://${address}/`)).text()) === "old 41\n");
    assert.equal(await ok("exec", "-T", "database", "redis-cli", "get", "visits"), "41");
    await ok("up", "-d", "--scale", "worker=2", "worker");
    assert.equal((await ok("ps", "-q", "worker")).split("\n").length, 2);
    await ok("down", "-v", "-t", "0");
    assert.equal(await target.ok("ps", "-aq"), "");
    for (const kind of ["network", "volume"]) assert.doesNotMatch(await target.ok(kind, "ls"), /stack-v1/);
  });
});

for (const suite of pluginSuites) {
  describe(`Compose of Debian ${suite}`, () => {
    let client: BuildkitClient;
    let dir: Awaited<ReturnType<typeof openFiles>>;
    const project = `stack-${suite}`;
    before(async () => {
      client = await openBuildkitClient(target, suite);
      dir = await openFiles({ "compose.yaml": stack("first") });
    });
    after(async () => {
      await compose("down", "-v", "-t", "0");
      await client[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    });
    const compose = (...args: readonly string[]): Promise<CommandResult> =>
      client.run(["compose", "-p", project, ...args], { cwd: dir.path });
    const ok = async (...args: readonly string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await compose(...args);
      assert.equal(exitCode, 0, `compose ${args.join(" ")}: ${stderr}${stdout}`);
      return stdout.trim();
    };
    const page = async (): Promise<string> => {
      const address = await ok("port", "web", "80");
      const answer = await fetch(`http://${address}/`).catch(() => undefined);
      return answer === undefined ? "" : (await answer.text()).trim();
    };
    const shows = (wanted: RegExp) =>
      eventually(async () => wanted.test(await page()), { what: `the page shows ${wanted}` });
    const timeOf = async (service: string, field: "StartedAt" | "FinishedAt") =>
      Date.parse((await target.ok("inspect", "-f", `{{.State.${field}}}`, `${project}-${service}-1`)).trim());
    const idOf = (service: string) => ok("ps", "-aq", service);

    test("brings up web, database and worker, each when what it needs is healthy", async () => {
      await ok("up", "-d", "--wait", "worker", "web", "database");
      await shows(/^first 41$/);
      const [migrated, worker, web] = [
        await timeOf("schema", "FinishedAt"),
        await timeOf("worker", "StartedAt"),
        await timeOf("web", "StartedAt"),
      ];
      assert.ok(migrated <= worker && worker < web, `${migrated} ${worker} ${web}`);
      assert.equal(await ok("exec", "-T", "database", "redis-cli", "get", "visits"), "41");
      assert.match(await ok("logs", "schema"), /1/);
      const states = await ok("ps", "-a", "--format", "{{.Service}} {{.State}} {{.Health}}");
      assert.deepEqual(
        states
          .split("\n")
          .map((line) => line.trim())
          .toSorted(),
        ["database running healthy", "schema exited", "web running", "worker running healthy"],
      );
    });

    test("changes only what has changed, scales, stops and starts", async () => {
      const before = { database: await idOf("database"), web: await idOf("web") };
      await writeFile(
        join(dir.path, "compose.yaml"),
        stack("first").replace('tier: "first"', 'tier: "second"'),
      );
      await ok("up", "-d", "--wait", "worker", "web", "database");
      assert.equal(await idOf("database"), before.database);
      assert.notEqual(await idOf("web"), before.web);
      await shows(/^first 4\d$/);
      await ok("up", "-d", "--no-recreate", "--scale", "worker=3", "worker");
      assert.equal((await idOf("worker")).split("\n").length, 3);
      await eventually(
        async () => (await ok("exec", "-T", "database", "redis-cli", "get", "visits")) === "43",
      );
      await ok("up", "-d", "--no-recreate", "--scale", "worker=1", "worker");
      assert.equal((await idOf("worker")).split("\n").length, 1);
      await ok("stop", "-t", "0", "web");
      assert.equal(await page().catch(() => ""), "");
      await ok("start", "web");
      await shows(/^first 43$/);
    });

    test("goes on while the engine is dead, and takes everything away but what is to last", async () => {
      if (process.env["HAWSER_E2E_AGAINST"] !== "dockerd") {
        await target.engine().kill();
        await target.engine().start();
        await shows(/^first 43$/);
      }
      await ok("down", "-t", "0");
      assert.equal(await target.ok("ps", "-aq"), "");
      assert.doesNotMatch(await target.ok("network", "ls"), new RegExp(project));
      await ok("up", "-d", "--wait", "worker", "web", "database");
      await shows(/^first 44$/);
      await ok("down", "-v", "-t", "0");
      assert.doesNotMatch(await target.ok("volume", "ls"), new RegExp(project));
    });

    test("a dependency that never gets healthy keeps others from starting", async () => {
      const broken = stack("broken")
        .replace("[CMD, redis-cli, ping]", "[CMD, 'false']")
        .replace("timeout: 5s, retries: 100", "timeout: 5s, retries: 2");
      await writeFile(join(dir.path, "compose.yaml"), broken);
      const { exitCode, stderr } = await compose("up", "-d");
      assert.notEqual(exitCode, 0);
      assert.match(stderr, /dependency failed to start: container .*database-1 is unhealthy/);
      assert.doesNotMatch(await ok("ps", "--services", "--status", "running"), /web|worker|schema/);
      await ok("down", "-v", "-t", "0");
    });
  });
}
