import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { logPathOf } from "../../containers/host.ts";
import { openContainerApi } from "../testing/container-api.ts";
import { openRawClient } from "../testing/raw-client.ts";

const tcp = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
const webSocket =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/** What the monitor will be asked for a client that attaches before the start. */
async function attachOptions(request: string, headers: string, body: Readonly<Record<string, unknown>> = {}) {
  await using one = await openContainerApi({ body });
  using client = openRawClient(one.api.path);
  client.socket.write(`${request} HTTP/1.1\r\n${headers}\r\n`);
  await eventually(() => one.container.pendingAttaches.size > 0, { what: "it is attached" });
  const [attach] = one.container.pendingAttaches;
  assert.ok(attach);
  const { stdin, stdout, stderr, format, detachKeys } = attach.options;
  const wanted = { stdin, stdout, stderr };
  return { wanted, format, detachKeys: detachKeys && [...detachKeys] };
}

describe("attach", () => {
  for (const [query, wanted] of [
    ["stream=1", [false, false, false]],
    ["stream=1&stdin=1", [true, false, false]],
    ["stream=1&stdout=true&stderr=1", [false, true, true]],
    ["stream=1&stdout=0&stderr=false", [false, false, false]],
  ] as const) {
    test(`${query} has the streams that are named`, async () => {
      const options = await attachOptions(`POST /v1.41/containers/web/attach?${query}`, tcp);
      assert.deepEqual(Object.values(options.wanted), wanted);
    });
  }

  for (const [version, wanted] of [
    ["1.24", true],
    ["1.41", true],
    ["1.42", false],
  ] as const) {
    test(`by websocket, naming no stream, has ${wanted ? "all" : "none"} in ${version}`, async () => {
      const request = `GET /v${version}/containers/web/attach/ws?stream=1&stdin=0`;
      const options = await attachOptions(request, webSocket);
      assert.deepEqual(options.wanted, { stdin: wanted, stdout: wanted, stderr: wanted });
      assert.equal(options.format, "raw", "messages are never framed");
    });
  }

  test("looks for detach keys at a terminal only", async () => {
    const request = "POST /containers/web/attach?stream=1&stdin=1&detachKeys=ctrl-a,b";
    assert.equal((await attachOptions(request, tcp)).detachKeys, undefined);
    const terminal = await attachOptions(request, tcp, { Tty: true });
    assert.deepEqual([terminal.format, terminal.detachKeys], ["raw", [1, 98]]);
  });
});

describe("logs", () => {
  for (const [Tty, told] of [
    [false, "\x03\0\0\0\0\0\0"],
    [true, ""],
  ] as const) {
    test(`that cannot be read say so in the stream (${Tty ? "a terminal's" : "framed"})`, async () => {
      await using one = await openContainerApi({ body: { Tty } });
      await mkdir(logPathOf(one.collaborators.host, one.container.id), { recursive: true });
      const { status, text } = await one.api.ask("GET", "/containers/web/logs?stdout=1");
      assert.equal(status, 200);
      assert.match(text, new RegExp(`^${told}.?Error grabbing logs: EISDIR.*\n$`));
    });
  }
});
