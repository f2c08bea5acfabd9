import assert from "node:assert/strict";
import { stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { silentLogger } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import type { Route } from "./router.ts";
import { ApiServer } from "./server.ts";
import { openApi } from "./testing/open-api.ts";

const ping: Route = { method: "GET", path: "/_ping", handler: (_, response) => response.sendText(200, "OK") };
describe("the address", () => {
  test("is a socket for owner and group, replaces a dead engine's, refuses a live one's and a file", async () => {
    await using dir = await openTempDir();
    const path = join(dir.path, "api.sock");
    const open = () => new ApiServer({ routes: [ping], version: "1", log: silentLogger });
    const first = open();
    await first.listen(`unix://${path}`);
    assert.equal((await stat(path)).mode & 0o777, 0o660);
    await assert.rejects(open().listen(`unix://${path}`), { kind: "unavailable", code: "ADDRESS_IN_USE" });
    await first.close();
    await assert.rejects(stat(path), { code: "ENOENT" });
    await writeFile(path, "");
    await assert.rejects(open().listen(`unix://${path}`), { kind: "conflict" });
    for (const address of [
      "unix://relative",
      "http://x:1",
      "tcp://x",
      "tcp://x:70000",
      `unix:///${"x".repeat(107)}`,
    ]) {
      await assert.rejects(open().listen(address), { kind: "invalid-argument" }, address);
    }
  });

  test("hands connections that speak HTTP/2 over, whole", async () => {
    const taken = Promise.withResolvers<string>();
    await using api = await openApi([ping], {
      serveHttp2: (socket) => socket.once("data", (bytes: Buffer) => taken.resolve(bytes.toString("latin1"))),
    });
    const client = connect(api.path);
    client.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest");
    assert.equal(await taken.promise, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest");
    client.destroy();
  });
});
