import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { type AddressInfo, createServer } from "node:net";
import { describe, test } from "node:test";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { silentLogger } from "@hawser/base";
import { createBuildServices } from "./build-services.ts";
import { Control } from "./generated/control_pb.ts";
import type { Builder } from "./ports.ts";

const host = { os: "linux", architecture: "amd64" };
const builder: Builder = {
  about: { id: "a builder", version: "1.2.3", labels: { l: "1" }, platforms: [host] },
  open: async () => {
    throw new Error("no build was asked for");
  },
  usage: async () =>
    ["one", "two"].map((id, at) => ({
      id,
      sizeBytes: at + 1,
      createdAtMs: 0,
      lastUsedAtMs: 0,
      usageCount: 1,
      description: `step ${id}`,
      type: "regular",
      isShared: at === 1,
      isInUse: false,
      parents: [],
    })),
  prune: async (wanted) => (await builder.usage()).filter(wanted),
};

/** The services on a port of this machine. */
async function serve() {
  const services = createBuildServices(builder, { host, now: () => 1000, log: silentLogger });
  const server = createServer((socket) => services.serve(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    control: createClient(Control, createGrpcTransport({ baseUrl: url })),
    async [Symbol.asyncDispose]() {
      server.close();
      await services[Symbol.asyncDispose]();
    },
  };
}

async function ask(session: ClientHttp2Session, headers: Record<string, string>) {
  const stream = session.request(headers, { endStream: true });
  const [answer] = await once(stream, "response");
  return answer as Record<string, unknown>;
}

describe("createBuildServices()", () => {
  test("tells of the builder and of what it keeps, by filters", async () => {
    await using served = await serve();
    const { record } = await served.control.listWorkers({});
    assert.deepEqual(
      record.map(({ id, labels, platforms }) => [
        id,
        labels,
        platforms.map(({ architecture }) => architecture),
      ]),
      [["a builder", { l: "1" }, ["amd64"]]],
    );
    assert.equal((await served.control.info({})).buildkitVersion?.version, "1.2.3");
    const kept = async (...filter: string[]) => {
      const usage = await served.control.diskUsage({ filter });
      return usage.record.map(({ id }) => id);
    };
    assert.deepEqual(await kept(), ["one", "two"]);
    assert.deepEqual(await kept("id==two"), ["two"]);
    assert.deepEqual(await kept("id~=o,shared"), ["two"]);
    assert.deepEqual(await kept("description!=step one", "id==one"), ["one", "two"]);
    assert.deepEqual(await kept("bogus==1"), []);
    await assert.rejects(kept("=1"), { message: /invalid filter/ });
    const pruned: string[] = [];
    for await (const { id } of served.control.prune({})) pruned.push(id);
    assert.deepEqual(pruned, ["one"]);
  });

  test("refuses by name what it cannot do", async () => {
    await using served = await serve();
    const refused = (request: object) =>
      served.control.solve({ ref: "x", frontend: "dockerfile.v0", ...request });
    await assert.rejects(refused({ frontend: "gateway.v0" }), { message: /no build|gateway.v0/ });
    const exporting = (type: string, attrs: object = {}) =>
      refused({ cache: { exports: [{ type, attrs }] } });
    const importing = (type: string, attrs: object = {}) =>
      refused({ cache: { imports: [{ type, attrs }] } });
    for (const type of ["gha", "s3", "azblob"]) {
      await assert.rejects(exporting(type), {
        message: new RegExp(`cache exporter "${type}" .*known: registry`),
      });
      await assert.rejects(importing(type), {
        message: new RegExp(`cache importer "${type}" .*known: registry`),
      });
    }
    await assert.rejects(exporting("registry"), { message: /needs the attribute "ref"/ });
    await assert.rejects(exporting("registry", { ref: "x", odd: "1" }), { message: /attribute "odd"/ });
    await assert.rejects(exporting("inline", { mode: "most" }), { message: /mode "most"/ });
    for (const text of ["{", "{}", "[1]", '[{"Type":1}]']) {
      await assert.rejects(refused({ frontendAttrs: { "cache-imports": text } }), {
        message: /cache-imports/,
      });
    }
    await assert.rejects(refused({ sourcePolicy: {} }), { message: /policy of sources/ });
    await assert.rejects(refused({ entitlements: ["device"] }), { message: /unknown entitlement "device"/ });
    await assert.rejects(refused({ definition: { def: [Buffer.from("x")] } }), { message: /both/ });
  });

  test("says UNIMPLEMENTED to calls of other services, and 501 to what is no call", async () => {
    await using served = await serve();
    const session = connectHttp2(served.url);
    const path = "/another.Service/Method";
    const call = await ask(session, { ":method": "POST", ":path": path, "content-type": "application/grpc" });
    assert.equal(call["grpc-status"], "12");
    assert.equal((await ask(session, { ":path": "/_ping" }))[":status"], 501);
    session.destroy();
  });
});
