import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { silentLogger } from "@hawser/base";
import { eventually } from "@hawser/base/testing";
import { parseDigest } from "@hawser/oci";
import { Webhooks } from "./webhooks.ts";

const digest = parseDigest(`sha256:${"0".repeat(64)}`);
const options = { log: silentLogger, now: () => new Date(0) };

async function openReceiver(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  return { server, at: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test("pushes are told in order, again when they were not heard, with the login of the address", async () => {
  const told: string[] = [];
  let failures = 1;
  const { server, at } = await openReceiver((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      response.statusCode = failures-- > 0 ? 503 : 200;
      const { tags } = JSON.parse(Buffer.concat(chunks).toString()) as { readonly tags: readonly string[] };
      if (response.statusCode === 200) told.push(`${tags.join()} ${request.headers.authorization}`);
      response.end();
    });
  });
  await using _server = server;
  using webhooks = new Webhooks([`http://a%40n:p%3Aw@${at}/hook`], options);
  for (const tag of ["1", "2", "3"])
    webhooks.push({ repository: "team/app", digest, tags: [tag], user: undefined });
  await eventually(() => told.length === 3);
  const login = `Basic ${Buffer.from("a@n:p:w").toString("base64")}`;
  assert.deepEqual(told, [`1 ${login}`, `2 ${login}`, `3 ${login}`]);
});

test("what is no address is refused at the start, without its password", () => {
  for (const url of ["nonsense", "ftp://me:word@host/", "http://"])
    assert.throws(() => new Webhooks([url], options), /: the webhook "((?!word).)*" is no address$/);
});
