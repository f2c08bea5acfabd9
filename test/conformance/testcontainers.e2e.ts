import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, describe, test } from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { GenericContainer, Network, type StartedTestContainer, Wait } from "testcontainers";
import { root } from "../../tools/tree.ts";
import { startProgram } from "../e2e/kit-process.ts";
import { useTarget } from "../e2e/kit-target.ts";
import { serversArchive } from "../images/debian.ts";

/** Servers as their packages have them, and the three that are started: each a Dockerfile, built by testcontainers. */
const dockerfiles = {
  "postgres:debian": `
FROM debian:servers
ENV PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin PGHOST=/tmp
USER postgres
RUN echo "host all all all trust" >>/etc/postgresql/15/main/pg_hba.conf
HEALTHCHECK --interval=200ms --timeout=10s --retries=100 CMD psql -c "select 1"
CMD ["postgres", "-D", "/etc/postgresql/15/main", "-c", "listen_addresses=*", \
  "-c", "unix_socket_directories=/tmp"]
`,
  "redis:debian": `
FROM debian:servers
CMD ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"]
`,
  "nginx:debian": `
FROM debian:servers
EXPOSE 80
CMD ["nginx", "-g", "daemon off;"]
`,
  // What testcontainers starts beside the containers: takes them away when who made them is gone.
  "reaper:own": `
FROM debian:servers
COPY reaper.pl /
CMD ["perl", "/reaper.pl"]
`,
};

const target = useTarget({
  images: ["busybox"],
  async prepare(opened) {
    await opened.ok("import", await serversArchive(), "debian:servers");
    Object.assign(process.env, { ...environment(), TESTCONTAINERS_RYUK_DISABLED: "true" });
    await using dir = await openTempDir();
    for (const [image, dockerfile] of Object.entries(dockerfiles)) {
      const context = join(dir.path, image);
      await mkdir(context);
      await writeFile(join(context, "Dockerfile"), dockerfile);
      await writeFile(join(context, "reaper.pl"), reaper);
      await GenericContainer.fromDockerfile(context).build(image, { deleteOnExit: false });
    }
  },
});

const environment = () => ({ DOCKER_HOST: target.host(), RYUK_CONTAINER_IMAGE: "reaper:own" });

const database = () =>
  new GenericContainer("postgres:debian")
    .withExposedPorts(5432)
    .withWaitStrategy(
      Wait.forAll([Wait.forLogMessage(/ready to accept connections/), Wait.forHealthCheck()]),
    );
const cache = () =>
  new GenericContainer("redis:debian").withExposedPorts(6379).withWaitStrategy(Wait.forListeningPorts());
const web = () =>
  new GenericContainer("nginx:debian").withExposedPorts(80).withWaitStrategy(Wait.forHttp("/", 80));

async function said(container: StartedTestContainer, ...command: string[]): Promise<string> {
  const { exitCode, output } = await container.exec(command);
  assert.equal(exitCode, 0, output);
  return output.trim();
}

/** What redis answers to a command, from the host. */
async function ask(container: StartedTestContainer, command: string): Promise<string> {
  const socket = connect({ host: container.getHost(), port: container.getMappedPort(6379) });
  socket.end(`${command}\r\n`);
  return (await text(socket)).trim();
}

describe("testcontainers", () => {
  test("starts PostgreSQL, Redis and nginx at once, which find each other by their aliases", async () => {
    await using network = await new Network().start();
    await using stack = new AsyncDisposableStack();
    const start = async (container: GenericContainer) => stack.use(await container.start());
    const [db, store, page] = await Promise.all([
      start(database().withNetwork(network).withNetworkAliases("db")),
      start(cache().withNetwork(network).withNetworkAliases("cache", "store")),
      start(
        web()
          .withNetwork(network)
          .withCopyContentToContainer([{ content: "hello", target: "/var/www/html/hello.txt" }]),
      ),
    ]);
    assert.equal(await ask(store, "PING"), "+PONG");
    const url = `http://${page.getHost()}:${page.getMappedPort(80)}/hello.txt`;
    assert.equal(await (await fetch(url)).text(), "hello");
    await said(db, "psql", "-c", "create table t as select generate_series(1, 1000) as n");
    assert.equal(
      await said(page, "psql", "-h", "db", "-U", "postgres", "-Atc", "select sum(n) from t"),
      "500500",
    );
    assert.equal(await said(page, "redis-cli", "-h", "store", "incr", "visits"), "1");
    assert.equal(await said(db, "redis-cli", "-h", "cache", "get", "visits"), "1");
  });

  test("execs, copies both ways, reads logs, restarts, commits", async () => {
    await using container = await new GenericContainer("busybox")
      .withCommand(["sh", "-c", "echo begun; exec sleep 1000"])
      .withUser("1000")
      .withTmpFs({ "/made": "rw,size=1m,mode=1777" })
      .withExtraHosts([{ host: "elsewhere", ipAddress: "10.9.8.7" }])
      .withWaitStrategy(Wait.forLogMessage("begun"))
      .start();
    const told = await container.exec(["sh", "-c", 'echo "$(id -u) $WHAT $PWD"; echo wrong >&2; exit 3'], {
      workingDir: "/made",
      user: "12",
      env: { WHAT: "passed" },
    });
    assert.deepEqual([told.exitCode, told.stdout, told.stderr], [3, "12 passed /made\n", "wrong\n"]);
    assert.match(await said(container, "cat", "/etc/hosts"), /^10\.9\.8\.7\s+elsewhere$/m);
    await container.copyContentToContainer([{ content: "copied", target: "/tmp/copied", mode: 0o640 }]);
    assert.equal(await said(container, "stat", "-c", "%a %s", "/tmp/copied"), "640 6");
    const archive = await container.copyArchiveFromContainer("/tmp/copied");
    assert.match(await text(archive), /copied/);
    const image = await container.commit({ repo: "made", tag: "of", deleteOnExit: false });
    await container.restart({ timeout: 0 });
    const begins = (log: string) => log.split("begun").length - 1;
    await eventually(async () => begins(await logged(container)) === 2, { what: "it began again" });
    await using second = await new GenericContainer("made:of").start();
    assert.equal(await said(second, "cat", "/tmp/copied"), "copied");
    assert.match(image, /^sha256:/);
  });

  /** Its log until now; the stream that is read does not end by itself. */
  async function logged(container: StartedTestContainer): Promise<string> {
    const stream = await container.logs({ tail: 10 });
    let log = "";
    stream.on("data", (data: string | Buffer) => (log += String(data)));
    await once(stream, "data");
    stream.destroy();
    return log;
  }

  test("finds a container that may be used again", async () => {
    const first = await cache().withReuse().start();
    assert.equal(await ask(first, "SET kept 1"), "+OK");
    const again = await cache().withReuse().start();
    assert.equal(again.getId(), first.getId());
    assert.match(await ask(again, "GET kept"), /1$/);
    await first.stop();
    const other = await cache().withReuse().start();
    assert.notEqual(other.getId(), first.getId());
    await other.stop();
  });

  test("starts ten at once", async () => {
    const started = await Promise.all(Array.from({ length: 10 }, () => cache().start()));
    const ports = new Set(started.map((container) => container.getMappedPort(6379)));
    assert.equal(ports.size, 10);
    assert.deepEqual(
      await Promise.all(started.map((container) => ask(container, "PING"))),
      started.map(() => "+PONG"),
    );
    await Promise.all(started.map((container) => container.stop()));
    assert.equal(await target.ok("ps", "-aq"), "");
  });

  test("a test run that dies leaves its reaper, which takes all away and ends", async () => {
    await using dir = await openTempDir();
    const log = join(dir.path, "log");
    const script = `import { GenericContainer, Network } from ${JSON.stringify(module)};
      const network = await new Network().start();
      await new GenericContainer("busybox").withCommand(["sleep", "1000"]).withNetwork(network).start();
      console.log("up");
      setInterval(() => {}, 1000);`;
    const env = { ...process.env, ...environment(), TESTCONTAINERS_RYUK_DISABLED: "false" };
    const run = await startProgram([process.execPath, "--input-type=module", "-e", script], { log, env });
    after(() => run.kill("SIGKILL"));
    await eventually(() => run.output().includes("up") || run.hasEnded(), {
      deadlineMs: 60_000,
      what: "the run is up",
    });
    assert.equal((await target.ok("ps", "-q")).trim().split("\n").length, 2, run.output());
    await run.kill("SIGKILL");
    await eventually(async () => (await target.ok("ps", "-aq")) === "", { what: "all are gone" });
    const mine = ["--filter", "label=org.testcontainers=true"];
    await eventually(async () => (await target.ok("network", "ls", "-q", ...mine)) === "", {
      what: "its network is gone",
    });
  });
});

const module = join(root, "node_modules/testcontainers/build/index.js");

/**
 * Ryuk's protocol: filters come as lines, each is acknowledged; when the connection has ended, what they say is removed by the
 * engine's API, over the socket that is mounted; but not the reaper, which bears the label, too.
 */
const reaper = String.raw`
use IO::Socket::INET; use IO::Socket::UNIX;
$SIG{TERM} = sub { exit };
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die $!;
$| = 1; print "Started\n";
my $client = $server->accept; my @filters;
while (<$client>) { s/\r?\n//; /^label=(.+)/ and push @filters, $1; print $client "ACK\n"; }
sub call {
  my $engine = IO::Socket::UNIX->new(Peer => "/var/run/docker.sock") or die $!;
  print $engine "$_[0] $_[1] HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n";
  local $/; <$engine>
}
for (@filters) {
  my $filter = "filters=%7B%22label%22%3A%5B%22$_%22%5D%7D";
  my $told = call("GET", "/containers/json?all=1&$filter");
  while ($told =~ /"Id":"([0-9a-f]{64})"/g) { call("DELETE", "/containers/$1?force=1&v=1") if index $1, $ENV{HOSTNAME} }
  $told = call("GET", "/networks?$filter");
  call("DELETE", "/networks/$1") while $told =~ /"Id":"([0-9a-f]{64})"/g;
}
`;
