import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { WebClient } from "./web-client.ts";

async function openServer(answer: RequestListener) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

const { signal } = new AbortController();

async function get(address: string, environment: Readonly<Record<string, string>> = {}) {
  using web = new WebClient({ environment, userAgent: "test" });
  const file = await web.get(new URL(address), { headers: { "if-none-match": "x" }, signal });
  return { status: file.status, text: Buffer.concat(await Array.fromAsync(file.chunks)).toString() };
}

describe("WebClient", () => {
  test("gets by the proxy that the environment names", async () => {
    await using proxy = await openServer((request, response) => response.end(`for ${request.url}`));
    const environment = { HTTP_PROXY: proxy.url, NO_PROXY: "inside.example" };
    const got = await get("http://files.example/a?b=c", environment);
    assert.deepEqual(got, { status: 200, text: "for http://files.example/a?b=c" });
    await assert.rejects(get("http://inside.example:9/a", environment), { kind: "unavailable" });
  });

  test("a login is its own server's, and goes to no other one", async () => {
    const told: string[] = [];
    const tell: RequestListener = ({ headers, url }, response) => {
      told.push(`${url} ${headers.authorization} ${headers["if-none-match"]}`);
      response.end("there");
    };
    await using other = await openServer(tell);
    await using own = await openServer((request, response) => {
      if (request.url !== "/") return tell(request, response);
      tell(request, response.writeHead(302, { location: `${other.url}/far` }));
    });
    const login = `Basic ${Buffer.from("me:se cret").toString("base64")}`;
    const address = own.url.replace("//", "//me:se%20cret@");
    assert.equal((await get(`${address}/near`)).text, "there");
    assert.equal((await get(`${address}/`)).text, "there");
    assert.deepEqual(told, [`/near ${login} x`, `/ ${login} x`, "/far undefined x"]);
  });

  test("redirects come to an end, and lead nowhere else than to servers", async () => {
    await using circle = await openServer((request, response) => {
      const location = request.url === "/file" ? "file:///etc/passwd" : "/again";
      response.writeHead(302, { location }).end();
    });
    await assert.rejects(get(`${circle.url}/`), /stopped after 10 redirects/);
    await assert.rejects(get(`${circle.url}/file`), /cannot follow a redirect to "file:/);
  });
});
