import assert from "node:assert/strict";
import { stat, writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
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

  test("also answers HTTP/2: UNIMPLEMENTED for gRPC, 501 for the rest", async () => {
    await using api = await openApi([ping]);
    const session = connectHttp2("http://engine", { createConnection: () => connect(api.path) });
    const ask = async (headers: Record<string, string>) => {
      const stream = session.request(headers, { endStream: true });
      return await new Promise<Record<string, unknown>>((resolve, reject) => {
        stream.on("response", resolve);
        stream.on("error", reject);
      });
    };
    const grpc = await ask({
      ":method": "POST",
      ":path": "/moby.buildkit.v1.Control/Info",
      "content-type": "application/grpc",
    });
    assert.equal(grpc["grpc-status"], "12");
    assert.equal((await ask({ ":path": "/_ping" }))[":status"], 501);
    session.destroy();
  });
});
