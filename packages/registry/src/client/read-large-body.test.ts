import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type https from "node:https";
import { type AddressInfo, connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { certificates } from "@hawser/base/testing";
import { parseDigest, parseReference } from "@hawser/oci";
import { type FakeRegistry, openFakeRegistry, sha256 } from "@hawser/registry/testing";
import { RegistryClient } from "./registry-client.ts";

const content = Buffer.from(Uint32Array.from({ length: 3_000_000 }, (_, at) => at).buffer);
const described = { digest: parseDigest(sha256(content)), sizeBytes: content.length };

type Answer = (response: ServerResponse, first: number) => void;

/** A registry whose answers for the blob are `answers`, in order; further ones are as ever. */
async function openRegistryWith(tls: https.ServerOptions | undefined, answers: readonly Answer[]) {
  const left = [...answers];
  const registry = await openFakeRegistry({
    ...(tls && { tls }),
    intercept: (request, response) => {
      if (!request.url?.includes("/blobs/")) return false;
      const answer = left.shift();
      if (answer === undefined) return false;
      const first = Number(/\d+/.exec(request.headers.range ?? "0")?.[0]);
      response.writeHead(first > 0 ? 206 : 200, {
        "content-length": content.length - first,
        ...(first > 0 && { "content-range": `bytes ${first}-${content.length - 1}/${content.length}` }),
      });
      answer(response, first);
      return true;
    },
  });
  registry.addBlob(content);
  return registry;
}

/** A proxy whose tunnels lead to this machine, wherever they are to. */
async function openProxy() {
  const proxy = createServer();
  proxy.on("connect", ({ url = "" }, client) => {
    const target = connect(Number(url.split(":")[1]), "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      client.pipe(target).pipe(client);
    });
    target.on("error", () => {}).on("close", () => client.destroy());
    client.on("error", () => {}).on("close", () => target.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void proxy.close(() => resolve())),
  };
}

/** The blob in chunks that are lent. */
async function fetchLent(
  registry: FakeRegistry,
  options: { readonly proxy?: string; readonly idleMs?: number; readonly signal?: AbortSignal },
) {
  const { proxy, idleMs = 20_000, signal } = options;
  const address = proxy === undefined ? registry.address : registry.address.replace(/.*:/, "registry.test:");
  const client = new RegistryClient({
    settings: { mirrors: [], insecure: [address], hostFolders: [] },
    environment: { https_proxy: proxy },
    userAgent: "test",
    retry: { retries: 3, firstDelayMs: 1, maxDelayMs: 100, random: () => 0.5 },
    idleMs,
  });
  const repository = await client.repository(parseReference(`${address}/team/app`));
  const chunks = repository.fetchBlob(described, { lent: true, ...(signal && { signal }) });
  return Object.assign(chunks, { [Symbol.dispose]: () => client[Symbol.dispose]() });
}

async function read(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(chunks, (chunk) => Buffer.from(chunk)));
}

const { cert, key } = certificates.server;
const encryption = { cert: readFileSync(cert), key: readFileSync(key) };
const kinds: Readonly<Record<string, { readonly tls?: https.ServerOptions; readonly isTunneled?: boolean }>> =
  {
    "without encryption": {},
    "with encryption": { tls: encryption },
    "with encryption through a proxy's tunnel": { tls: encryption, isTunneled: true },
  };

for (const [name, { tls, isTunneled }] of Object.entries(kinds))
  describe(`a large blob ${name}`, () => {
    const openRegistry = (...answers: readonly Answer[]) => openRegistryWith(tls, answers);
    let proxy: Awaited<ReturnType<typeof openProxy>> | undefined;
    before(async () => {
      if (isTunneled) proxy = await openProxy();
    });
    after(() => proxy?.[Symbol.asyncDispose]());
    const fetchHere = (
      registry: FakeRegistry,
      options: { readonly idleMs?: number; readonly signal?: AbortSignal } = {},
    ) => fetchLent(registry, { ...(proxy && { proxy: proxy.url }), ...options });

    test("comes whole, through memory that is used again", async () => {
      await using registry = await openRegistry();
      using chunks = await fetchHere(registry);
      const memories = new Set<ArrayBufferLike>();
      const copies: Buffer[] = [];
      for await (const chunk of chunks) {
        memories.add(chunk.buffer);
        copies.push(Buffer.from(chunk));
      }
      assert.ok(Buffer.concat(copies).equals(content));
      assert.ok(memories.size <= 4 && copies.length > memories.size, `${copies.length}, ${memories.size}`);
    });

    for (const [kind, breakOff] of [
      ["ends", (response: ServerResponse) => response.socket?.end()],
      ["is reset", ({ socket }: ServerResponse) => (tls ? socket?.destroy() : socket?.resetAndDestroy())],
      ["stalls", () => {}],
    ] as const) {
      test(`goes on where a connection ${kind}`, async () => {
        const cut = (response: ServerResponse, first: number) => {
          response.write(content.subarray(first, first + 4_000_000), () => breakOff(response));
        };
        await using registry = await openRegistry(cut, cut);
        using chunks = await fetchHere(registry, { idleMs: kind === "stalls" ? 500 : 20_000 });
        assert.ok((await read(chunks)).equals(content));
        assert.ok(registry.count(/blobs/) >= 3);
      });
    }

    test("ends where it was said to, whatever comes behind", async () => {
      await using registry = await openRegistry((response) => {
        response.flushHeaders();
        response.socket?.write(Buffer.concat([content, Buffer.alloc(3_000_000, 1)]));
      });
      using chunks = await fetchHere(registry);
      assert.ok((await read(chunks)).equals(content));
      assert.equal(registry.count(/blobs/), 1);
    });

    test("waits for its reader, however long that takes", async () => {
      await using registry = await openRegistry();
      using chunks = await fetchHere(registry, { idleMs: 1500 });
      const copies: Buffer[] = [];
      for await (const chunk of chunks) {
        if (copies.length === 1) await setTimeout(3500);
        copies.push(Buffer.from(chunk));
      }
      assert.ok(Buffer.concat(copies).equals(content));
      assert.equal(registry.count(/blobs/), 1);
    });

    test("ends, and its connection, when its reader leaves or is told to", async () => {
      for (const how of ["leaves", "is told to"] as const) {
        const closed = Promise.withResolvers<void>();
        await using registry = await openRegistry((response) => {
          response.on("close", closed.resolve);
          response.write(content.subarray(0, 4_000_000));
        });
        const told = new AbortController();
        using chunks = await fetchHere(registry, { signal: told.signal });
        await chunks.next();
        if (how === "leaves") await chunks.return();
        else {
          const rest = read(chunks);
          told.abort(new Error("enough"));
          await assert.rejects(rest, { message: "enough" });
        }
        await closed.promise;
      }
    });
  });
