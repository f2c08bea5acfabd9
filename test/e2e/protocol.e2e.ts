import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { ask, openRaw, readFrames, splitHead } from "./kit-http.ts";
import { againstDockerd, hawserOnly, textOf, useTarget } from "./kit-target.ts";

const target = useTarget();
const call = (what: string, body?: unknown) => ask(target.socket(), what, body === undefined ? {} : { body });

async function create(name: string, config: object): Promise<void> {
  const { status, text } = await call(`POST /v1.41/containers/create?name=${name}`, {
    Image: "busybox",
    ...config,
  });
  assert.equal(status, 201, text);
}

/** A request with an upgrade, or without one: the hijack in its two forms. */
function hijack(path: string, options: { readonly upgrade: boolean; readonly body?: object }) {
  const body = options.body === undefined ? "" : JSON.stringify(options.body);
  const lines = [
    `POST ${path} HTTP/1.1`,
    "Host: docker",
    ...(options.upgrade ? ["Connection: Upgrade", "Upgrade: tcp"] : []),
    ...(body === "" ? [] : ["Content-Type: application/json"]),
    `Content-Length: ${body.length}`,
  ];
  return openRaw(target.socket(), `${lines.join("\r\n")}\r\n\r\n${body}`);
}

describe("every answer", () => {
  test("says which version, system and server it is", async () => {
    for (const what of ["GET /_ping", "GET /v1.41/containers/json", "GET /containers/nosuch/json"]) {
      const { headers } = await call(what);
      assert.match(String(headers["api-version"]), /^1\.\d\d$/);
      assert.equal(headers["ostype"], "linux");
      assert.equal(headers["docker-experimental"], "false");
      assert.match(String(headers["server"]), /^(Docker|Hawser)\/\S+ \(linux\)$/);
    }
  });

  test("to a ping is OK, without a newline and never cached; nothing at all to HEAD", async () => {
    const { text, headers } = await call("GET /_ping");
    assert.equal(text, "OK");
    assert.equal(headers["cache-control"], "no-cache, no-store, must-revalidate");
    assert.equal(headers["pragma"], "no-cache");
    assert.equal(headers["content-type"], "text/plain; charset=utf-8");
    const head = await call("HEAD /_ping");
    assert.deepEqual([head.status, head.text, head.headers["content-length"]], [200, "", "0"]);
  });

  test("follows the version in the path", async () => {
    const tooNew = await call("GET /v1.99/info");
    assert.equal(tooNew.status, 400);
    assert.match(
      tooNew.text,
      /^\{"message":"client version 1\.99 is too new\. Maximum supported API version is 1\.\d\d"\}\n$/,
    );
    assert.equal((await call("GET /v1.24/containers/json")).status, 200);
    assert.equal((await call("GET /containers/json")).status, 200);
  });

  test("to what is not there is 404, whatever the method", async () => {
    for (const what of ["GET /nosuch", "PATCH /containers/json", "DELETE /v1.41/info"]) {
      const { status, text } = await call(what);
      assert.deepEqual([status, text], [404, '{"message":"page not found"}\n']);
    }
  });

  test("has lists and objects, not null, and is not escaped for HTML", async () => {
    await create("shapes", { Cmd: ["echo", "<a> & b"] });
    const { text } = await call("GET /v1.41/containers/shapes/json");
    assert.ok(text.includes('"<a> & b"'));
    const inspected = JSON.parse(text);
    assert.deepEqual(inspected.Mounts, []);
    assert.deepEqual(inspected.Config.Labels, {});
    assert.equal(inspected.HostConfig.Binds, null);
    assert.equal(inspected.State.FinishedAt, "0001-01-01T00:00:00Z");
    assert.match(
      (await call('GET /v1.41/containers/json?all=1&filters={"name":["shapes"]}')).text,
      /"Ports":\[\],"Labels":\{\}|"Labels":\{\}.*"Ports":\[\]/,
    );
  });

  test("to a body that is no JSON, or has the wrong type, is 400", async () => {
    using connection = openRaw(
      target.socket(),
      "POST /containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{nope",
    );
    assert.match(
      await connection.until((text) => text.includes("message")),
      againstDockerd ? /^HTTP\/1\.1 500 / : /^HTTP\/1\.1 400 /,
    );
    assert.equal((await call("POST /containers/create", { Image: 5 })).status, againstDockerd ? 500 : 400);
  });
});

describe("attach", () => {
  test("with an upgrade is answered 101 UPGRADED, before the container starts", async () => {
    await create("upgraded", { Cmd: ["sh", "-c", "echo out; echo err >&2"] });
    using connection = hijack("/v1.41/containers/upgraded/attach?stream=1&stdout=1&stderr=1", {
      upgrade: true,
    });
    const { head } = splitHead(await connection.until((text) => text.includes("\r\n\r\n")));
    assert.match(head, /^HTTP\/1\.1 101 UPGRADED\r\n/);
    assert.match(head, /Connection: Upgrade/i);
    assert.match(head, /Upgrade: tcp/i);
    assert.match(head, /Content-Type: application\/vnd\.docker\.raw-stream/i);
    assert.equal((await call("POST /containers/upgraded/start")).status, 204);
    await connection.ended;
    const frames = readFrames(splitHead(connection.received()).body);
    assert.deepEqual(
      frames.toSorted(([a], [b]) => a - b),
      [
        [1, "out\n"],
        [2, "err\n"],
      ],
    );
  });

  test("without one is answered 200, raw until the end, and takes input that ends before the output", async () => {
    await create("plain", {
      Cmd: ["sh", "-c", "cat; echo after"],
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
    });
    using connection = hijack("/v1.41/containers/plain/attach?stream=1&stdin=1&stdout=1", { upgrade: false });
    const { head } = splitHead(await connection.until((text) => text.includes("\r\n\r\n")));
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
    assert.doesNotMatch(head, /Transfer-Encoding|Content-Length/i);
    assert.equal((await call("POST /containers/plain/start")).status, 204);
    connection.socket.end("typed\n");
    await connection.ended;
    const frames = readFrames(splitHead(connection.received()).body);
    assert.equal(frames.map(([, text]) => text).join(""), "typed\nafter\n");
  });

  test("says multiplexed-stream to clients from 1.42 on", hawserOnly, async () => {
    await create("typed", { Cmd: ["true"] });
    using connection = hijack("/v1.45/containers/typed/attach?stream=1&stdout=1", { upgrade: true });
    await connection.until((text) => text.includes("application/vnd.docker.multiplexed-stream"));
  });

  test("to a terminal is raw", async () => {
    await create("terminal", { Cmd: ["echo", "line"], Tty: true });
    using connection = hijack("/v1.41/containers/terminal/attach?stream=1&stdout=1", { upgrade: true });
    await connection.until((text) => text.includes("\r\n\r\n"));
    await call("POST /containers/terminal/start");
    await connection.ended;
    assert.equal(splitHead(connection.received()).body, "line\r\n");
  });

  test("with logs begins with what was written before", async () => {
    await create("told", { Cmd: ["sh", "-c", "echo before; while :; do sleep 0.1; done"] });
    await call("POST /containers/told/start");
    const isWritten = async () => (await target.ok("logs", "told")) === "before\n";
    await eventually(isWritten, { what: "it is in the log" });
    using connection = hijack("/v1.41/containers/told/attach?stream=1&logs=1&stdout=1", { upgrade: true });
    const received = await connection.until((text) => text.includes("before\n"));
    assert.deepEqual(readFrames(splitHead(received).body), [[1, "before\n"]]);
    await call("DELETE /containers/told?force=1");
  });

  test("with logs, before a start, has the last run at once and then the next", async () => {
    await create("again", { Cmd: ["echo", "run"] });
    const run = async () => {
      await call("POST /containers/again/start");
      await call("POST /containers/again/wait");
    };
    await run();
    using connection = hijack("/v1.41/containers/again/attach?stream=1&logs=1&stdout=1", { upgrade: true });
    const received = await connection.until((text) => text.includes("run\n"));
    assert.deepEqual(readFrames(splitHead(received).body), [[1, "run\n"]]);
    await run();
    await connection.ended;
    assert.deepEqual(readFrames(splitHead(connection.received()).body), [
      [1, "run\n"],
      [1, "run\n"],
    ]);
  });

  for (const [name, logOptions] of [
    ["kept", {}],
    ["rotated", { "max-size": "100k", "max-file": "20" }],
  ] as const) {
    test(`with logs, while it is being written (${name}), has every line once`, async () => {
      // Two writes a line: half of one may be there when a client comes.
      const line = 'n=$((n + 1)); printf "%s" "$n"; printf "\\n"';
      const script = `n=0; while :; do ${line}; [ $((n % 100)) -gt 0 ] || sleep 0.01; done`;
      const HostConfig = { LogConfig: { Type: "json-file", Config: logOptions } };
      await create(name, { Cmd: ["sh", "-c", script], HostConfig });
      await call(`POST /containers/${name}/start`);
      const numbersOf = (received: string) =>
        readFrames(splitHead(received).body)
          .map(([, text]) => text)
          .join("")
          .split("\n")
          .slice(0, -1)
          .map(Number);
      const lastOf = (received: string) => numbersOf(received).at(-1) ?? 0;
      const path = `/v1.41/containers/${name}/attach?stream=1&logs=1&stdout=1`;
      let said = 0;
      for (let round = 0; round < 12; round += 1) {
        using connection = hijack(path, { upgrade: true });
        const received = await connection.until((text) => lastOf(text) > said + 200);
        const numbers = numbersOf(received);
        const [first = 0] = numbers;
        const wrong = numbers.findIndex((number, index) => number !== first + index);
        assert.equal(wrong, -1, `${numbers[wrong - 1]} is followed by ${numbers[wrong]}`);
        said = lastOf(received);
      }
      await call(`DELETE /containers/${name}?force=1`);
    });
  }

  test("of an unknown container is refused on the connection", async () => {
    using connection = hijack("/v1.41/containers/nosuch/attach?stream=1", { upgrade: true });
    const received = await connection.until((text) => text.includes("No such container: nosuch"));
    assert.match(received, /^HTTP\/1\.1 404 /);
  });
});

describe("exec", () => {
  const startCat = async (upgrade: boolean) => {
    const created = await call("POST /v1.41/containers/host/exec", {
      Cmd: ["sh", "-c", "cat; echo after"],
      AttachStdin: true,
      AttachStdout: true,
    });
    const path = `/v1.41/exec/${textOf(created.json()["Id"])}/start`;
    return hijack(path, { upgrade, body: { Detach: false, Tty: false } });
  };
  const outputOf = (received: string) =>
    readFrames(splitHead(received).body)
      .map(([, text]) => text)
      .join("");

  test("is answered as attach is; an end of input leaves the output open", async () => {
    await create("host", { Cmd: ["sleep", "600"] });
    await call("POST /containers/host/start");
    for (const upgrade of [true, false]) {
      using connection = await startCat(upgrade);
      const head = await connection.until((text) => text.includes("\r\n\r\n"));
      assert.match(head, upgrade ? /^HTTP\/1\.1 101 UPGRADED/ : /^HTTP\/1\.1 200 OK/);
      connection.socket.end("typed\n");
      await connection.ended;
      assert.equal(outputOf(connection.received()), "typed\nafter\n");
    }
  });

  test("loses no input that comes before the answer", hawserOnly, async () => {
    for (const upgrade of [true, false]) {
      using connection = await startCat(upgrade);
      connection.socket.end("typed\n");
      await connection.ended;
      assert.equal(outputOf(connection.received()), "typed\nafter\n");
    }
  });

  test("that does not start says why in the stream, and in its exit code", async () => {
    const created = await call("POST /v1.41/containers/host/exec", { Cmd: ["nosuch"], AttachStdout: true });
    const id = textOf(created.json()["Id"]);
    using connection = hijack(`/v1.41/exec/${id}/start`, { upgrade: true, body: {} });
    await connection.ended;
    assert.match(connection.received(), /"nosuch": executable file not found in \$PATH/);
    const { ExitCode } = (await call(`GET /v1.41/exec/${id}/json`)).json();
    assert.equal(textOf(ExitCode), againstDockerd ? "126" : "127");
  });

  test("without streams goes on by itself, and the stream ends", async () => {
    const created = await call("POST /v1.41/containers/host/exec", { Cmd: ["true"] });
    using connection = hijack(`/v1.41/exec/${textOf(created.json()["Id"])}/start`, {
      upgrade: true,
      body: {},
    });
    await connection.ended;
  });

  test("and container are resized by whole numbers only", async () => {
    assert.equal((await call("POST /containers/host/resize?h=10")).status, 400);
    assert.equal((await call("POST /containers/host/resize?h=x&w=y")).status, 400);
    assert.equal((await call("POST /exec/nosuch/resize?h=10&w=10")).status, 404);
    await call("DELETE /containers/host?force=1");
  });
});

describe("wait", () => {
  test("sends its head at once, and the body when the container ends", async () => {
    await create("slow", { Cmd: ["sh", "-c", "exit 9"] });
    using connection = openRaw(
      target.socket(),
      "POST /v1.41/containers/slow/wait?condition=next-exit HTTP/1.1\r\nHost: docker\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    );
    const early = await connection.until((text) => text.includes("\r\n\r\n"));
    assert.match(early, /^HTTP\/1\.1 200 OK\r\n/);
    assert.doesNotMatch(early, /StatusCode/);
    await call("POST /containers/slow/start");
    await connection.until((text) => /"StatusCode":9\}/.test(text));
  });
});

describe("logs", () => {
  test("want a stream to be named", async () => {
    await create("silent", { Cmd: ["true"] });
    const answer = await call("GET /v1.41/containers/silent/logs");
    assert.equal(answer.status, 400);
    assert.match(textOf(answer.json()["message"]), /must (choose|specify) at least one/i);
  });

  test("come in frames, one for each message, times inside", async () => {
    await create("lines", { Cmd: ["sh", "-c", "echo one; sleep 0.05; echo two >&2"] });
    await call("POST /containers/lines/start");
    await call("POST /containers/lines/wait");
    using connection = openRaw(
      target.socket(),
      "GET /v1.41/containers/lines/logs?stdout=1&stderr=1&timestamps=1 HTTP/1.0\r\nHost: docker\r\n\r\n",
    );
    await connection.ended;
    const frames = readFrames(splitHead(connection.received()).body);
    assert.deepEqual(
      frames.map(([stream, text]) => [stream, text.slice(31)]),
      [
        [1, "one\n"],
        [2, "two\n"],
      ],
    );
    for (const [, text] of frames) assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z /);
  });
});

describe("GET /version and /info", () => {
  test("have what tools parse", async () => {
    const version = (await call("GET /version")).json();
    assert.equal(textOf(version["Components"]?.[0]?.["Name"]), "Engine");
    assert.match(textOf(version["Version"]), /^\d+\.\d+\.\d+/);
    assert.match(textOf(version["MinAPIVersion"]), /^1\.\d\d$/);
    const info = (await call("GET /info")).json();
    for (const name of [
      "ID",
      "Containers",
      "Images",
      "Driver",
      "CgroupVersion",
      "KernelVersion",
      "NCPU",
      "MemTotal",
      "DockerRootDir",
      "DefaultRuntime",
    ]) {
      assert.notEqual(textOf(info[name]), "undefined", name);
    }
  });
});
