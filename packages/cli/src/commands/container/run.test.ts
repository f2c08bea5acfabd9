import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import test from "node:test";
import { eventually, openTempDir } from "@hawser/base/testing";
import { type FakeEngineOptions, openFakeEngine, outputFrame, refuse } from "../../testing/fake-engine.ts";
import { runClient } from "../../testing/run-client.ts";

const create = "POST /containers/create";
const attach = "POST /containers/c1/attach";
const wait = "POST /containers/c1/wait";
const start = "POST /containers/c1/start";

/** A container that writes when it is started and ends with `code`. */
function container(options: {
  readonly code?: number;
  readonly write?: (socket: Socket) => void;
  readonly error?: string;
  readonly startFails?: string;
}): FakeEngineOptions {
  let exit: ((body: object) => void) | undefined;
  let socket: Socket | undefined;
  const end = () =>
    exit?.({ StatusCode: options.code ?? 0, ...(options.error && { Error: { Message: options.error } }) });
  return {
    replies: {
      [create]: () => ({ Id: "c1", Warnings: [] }),
      [wait]: (_, response) => {
        response.writeHead(200, { "Content-Type": "application/json" });
        response.flushHeaders();
        exit = (body) => response.end(JSON.stringify(body));
      },
      [start]: (_, response) => {
        if (options.startFails !== undefined) {
          refuse(response, { status: 400, message: options.startFails });
          socket?.end();
          end();
          return undefined;
        }
        if (socket !== undefined) (options.write ?? ((stream) => stream.end()))(socket);
        end();
        return 204;
      },
    },
    streams: {
      [attach]: (stream) => {
        socket = stream;
      },
    },
  };
}

test("run attaches and waits before it starts, and ends with the container's exit code", async () => {
  const write = (socket: Socket) => {
    socket.write(outputFrame("stdout", "out\n"));
    socket.end(outputFrame("stderr", "err\n"));
  };
  await using engine = await openFakeEngine(container({ code: 7, write }));
  const run = await runClient({ argv: ["run", "--rm", "busybox", "true"], host: engine.host });
  assert.deepEqual(run, { code: 7, stdout: "out\n", stderr: "err\n" });
  const routes = engine.routes();
  assert.equal(routes[0], create);
  assert.deepEqual(routes.slice(1, 3).toSorted(), [attach, wait]);
  assert.equal(routes[3], start);
  const conditions = engine.requests
    .filter(({ route }) => route === wait)
    .map(({ query }) => query.get("condition"));
  assert.deepEqual(conditions, ["removed"]);
});

test("run pulls an image that is not there and creates again", async () => {
  let creates = 0;
  const script = container({});
  await using engine = await openFakeEngine({
    ...script,
    replies: {
      ...script.replies,
      [create]: (_, response) => {
        creates++;
        if (creates > 1) return { Id: "c1", Warnings: ["mind the gap"] };
        return refuse(response, { status: 404, message: "No such image: busybox:latest" });
      },
      "POST /images/create": (_, response) => {
        response.write('{"status":"Pulling from library/busybox","id":"latest"}\n');
        response.write('{"status":"Downloading","id":"abc","progressDetail":{"current":1,"total":2}}\n');
        response.end('{"status":"Status: Downloaded newer image for busybox:latest"}\n');
      },
    },
  });
  const run = await runClient({ argv: ["run", "busybox"], host: engine.host });
  assert.deepEqual(run, {
    code: 0,
    stdout: "",
    stderr:
      "Unable to find image 'busybox:latest' locally\nlatest: Pulling from library/busybox\n" +
      "Status: Downloaded newer image for busybox:latest\nWARNING: mind the gap\n",
  });
  const pull = engine.requests.find(({ route }) => route === "POST /images/create");
  assert.deepEqual(
    [...(pull?.query ?? [])],
    [
      ["fromImage", "docker.io/library/busybox"],
      ["tag", "latest"],
    ],
  );
});

test("run ends with 125 and Docker's words when the image cannot be had", async () => {
  await using engine = await openFakeEngine({
    replies: {
      [create]: (_, response) => refuse(response, { status: 404, message: "No such image: nosuch:latest" }),
      "POST /images/create": (_, response) => {
        response.end('{"errorDetail":{"message":"no such host"},"error":"no such host"}');
      },
    },
  });
  const hint = "\n\nRun 'hawser run --help' for more information\n";
  assert.deepEqual(await runClient({ argv: ["run", "nosuch"], host: engine.host }), {
    code: 125,
    stdout: "",
    stderr: `Unable to find image 'nosuch:latest' locally\nhawser: no such host${hint}`,
  });
  assert.deepEqual(await runClient({ argv: ["run", "--pull", "never", "nosuch"], host: engine.host }), {
    code: 125,
    stdout: "",
    stderr: `hawser: Error response from daemon: No such image: nosuch:latest${hint}`,
  });
});

test("run pulls for no other refusal than 404", async () => {
  for (const status of [400, 403, 409, 500, 503]) {
    const message = "No such image: nosuch:latest";
    await using engine = await openFakeEngine({
      replies: { [create]: (_, response) => refuse(response, { status, message }) },
    });
    const run = await runClient({ argv: ["run", "nosuch"], host: engine.host });
    assert.equal(run.code, 125);
    assert.deepEqual(
      engine.routes().filter((route) => route !== create),
      [],
      String(status),
    );
  }
});

test("run maps the runtime's words to 127, 126 and 125", async () => {
  for (const [words, code] of [
    ['exec: "nosuch": executable file not found in $PATH: unknown', 127],
    ['exec: "/x": stat /x: no such file or directory', 127],
    ['exec: "/etc": permission denied', 126],
    ['exec: "/etc": is a directory', 126],
    ["something else", 125],
  ] as const) {
    await using engine = await openFakeEngine(container({ code: 128, startFails: words }));
    const run = await runClient({ argv: ["run", "--rm", "busybox", "x"], host: engine.host });
    assert.equal(run.code, code);
    assert.equal(
      run.stderr,
      `hawser: Error response from daemon: ${words}\n\nRun 'hawser run --help' for more information\n`,
    );
  }
});

test("run -i sends its input, half-closes at its end and still reads output", async () => {
  const write = (socket: Socket) => {
    let seen = "";
    socket.on("data", (chunk: Buffer) => {
      seen += chunk.toString();
    });
    socket.on("end", () => socket.end(outputFrame("stdout", `got ${seen.length}`)));
  };
  await using engine = await openFakeEngine(container({ write }));
  const input = "x".repeat(1_000_000);
  const run = await runClient({ argv: ["run", "-i", "busybox", "cat"], host: engine.host, input });
  assert.deepEqual(run, { code: 0, stdout: "got 1000000", stderr: "" });
});

test("run reads frames that are cut anywhere, and all of a long output", async () => {
  const frames = Buffer.concat(
    Array.from({ length: 300 }, (_, at) =>
      outputFrame(at % 2 === 0 ? "stdout" : "stderr", `${"y".repeat(at)}\n`),
    ),
  );
  const write = (socket: Socket) => {
    for (let at = 0; at < frames.length; at += 7) socket.write(frames.subarray(at, at + 7));
    socket.end();
  };
  await using engine = await openFakeEngine(container({ write }));
  const run = await runClient({ argv: ["run", "busybox"], host: engine.host });
  assert.deepEqual([run.code, run.stdout.length, run.stderr.length], [0, 22_500, 22_650]);
});

test("run waits for a slow reader without piling up listeners", async () => {
  const warnings: string[] = [];
  const onWarning = (warning: Error) => warnings.push(warning.message);
  process.on("warning", onWarning);
  const write = (socket: Socket) => {
    for (let at = 0; at < 2000; at++) socket.write(outputFrame("stdout", "z".repeat(1000)));
    socket.end();
  };
  await using engine = await openFakeEngine(container({ write }));
  const run = await runClient({ argv: ["run", "busybox"], host: engine.host });
  await new Promise(setImmediate);
  process.off("warning", onWarning);
  assert.deepEqual([run.stdout.length, warnings], [2_000_000, []]);
});

test("run tells a failure that comes inside the stream", async () => {
  const frame = outputFrame("stdout", "disk is gone");
  frame[0] = 3;
  await using engine = await openFakeEngine(container({ write: (socket) => socket.end(frame) }));
  const run = await runClient({ argv: ["run", "busybox"], host: engine.host });
  assert.equal(run.code, 125);
  assert.match(run.stderr, /^hawser: Error from daemon in stream: disk is gone\n/);
});

test("run ends when the engine dies under it", async () => {
  const script = container({});
  let waiting: ServerResponse | undefined;
  await using engine = await openFakeEngine({
    replies: {
      ...script.replies,
      [wait]: (_, response) => {
        response.writeHead(200);
        response.flushHeaders();
        waiting = response;
      },
      [start]: () => 204,
    },
    streams: {
      [attach]: (socket) => {
        socket.write(outputFrame("stdout", "half a"));
        eventually(() => engine.routes().includes(start)).then(
          () => {
            socket.destroy();
            waiting?.destroy();
          },
          () => {},
        );
      },
    },
  });
  const run = await runClient({ argv: ["run", "busybox"], host: engine.host });
  assert.deepEqual([run.code, run.stdout], [125, "half a"]);
  assert.match(run.stderr, /error during connect/);
});

test("run gives signals to the container", async () => {
  let stop: (() => void) | undefined;
  const script = container({
    code: 143,
    write: (socket) => {
      stop = () => socket.end();
    },
  });
  let killed: string | null = null;
  await using engine = await openFakeEngine({
    ...script,
    replies: {
      ...script.replies,
      "POST /containers/c1/kill": ({ query }) => {
        killed = query.get("signal");
        stop?.();
        return 204;
      },
    },
  });
  let send: ((name: NodeJS.Signals) => void) | undefined;
  const running = runClient({
    argv: ["run", "busybox"],
    host: engine.host,
    signals: (sender) => {
      send = sender;
    },
  });
  await eventually(() => stop !== undefined);
  send?.("SIGTERM");
  assert.equal((await running).code, 143);
  assert.equal(killed, "TERM");
});

test("run -d starts and prints the id; --cidfile keeps it", async () => {
  await using dir = await openTempDir();
  const file = join(dir.path, "cid");
  await using engine = await openFakeEngine({
    replies: { [create]: () => ({ Id: "c1", Warnings: null }), [start]: () => 204 },
  });
  const argv = ["run", "-d", "--cidfile", file, "busybox"];
  assert.deepEqual(await runClient({ argv, host: engine.host }), { code: 0, stdout: "c1\n", stderr: "" });
  assert.equal(readFileSync(file, "utf8"), "c1");
  const again = await runClient({ argv, host: engine.host });
  assert.equal(again.code, 125);
  assert.match(again.stderr, /^hawser: container ID file found, make sure the other container isn't running/);
});

test("--cidfile leaves nothing when there is no container", async () => {
  await using dir = await openTempDir();
  const file = join(dir.path, "cid");
  await using engine = await openFakeEngine({
    replies: { [create]: (_, response) => refuse(response, { status: 409, message: "name is taken" }) },
  });
  const run = await runClient({ argv: ["run", "--cidfile", file, "busybox"], host: engine.host });
  assert.deepEqual([run.code, existsSync(file)], [125, false]);
});

test("a terminal's detach keys end the client, not the container", async () => {
  const typed: string[] = [];
  const write = (socket: Socket) => {
    socket.on("data", (chunk: Buffer) => typed.push(chunk.toString()));
    socket.write("prompt");
  };
  await using engine = await openFakeEngine(container({ write }));
  const input = Object.assign(new PassThrough(), { isTTY: true, isRaw: false, setRawMode: () => {} });
  const running = runClient({
    argv: ["run", "-it", "--detach-keys", "ctrl-a,b", "busybox"],
    host: engine.host,
    input,
  });
  await eventually(() => engine.routes().includes(start));
  input.write("ls\x01");
  await eventually(() => typed.join("") === "ls");
  input.write("x\x01bmore");
  assert.deepEqual(await running, { code: 0, stdout: "prompt", stderr: "" });
  await eventually(() => typed.join("") === "ls\x01x");
});

test("run -it without a terminal is refused before anything is created", async () => {
  await using engine = await openFakeEngine({});
  const run = await runClient({ argv: ["run", "-it", "busybox"], host: engine.host });
  assert.deepEqual(run, { code: 1, stdout: "", stderr: "the input device is not a TTY\n" });
  assert.deepEqual(engine.routes(), []);
});
