import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { chooseProxy } from "./choose-proxy.ts";
import { Transport } from "./transport.ts";

/** Cases of golang.org/x/net/http/httpproxy. */
const excepted: Readonly<
  Record<string, { readonly yes: readonly string[]; readonly no: readonly string[] }>
> = {
  "10.0.0.0/8, fd00::/8": { yes: ["10.1.2.3:5000", "[fd00::1]:5000"], no: ["11.1.2.3", "[fe00::1]"] },
  "corp.test": { yes: ["corp.test:5000", "a.b.corp.test"], no: ["xcorp.test", "corp.test.x"] },
  ".corp.test": { yes: ["a.corp.test"], no: ["corp.test"] },
  "*.corp.test": { yes: ["a.corp.test"], no: ["corp.test"] },
  " A , Reg.Corp.Test:5000 ,": {
    yes: ["reg.corp.test:5000", "a"],
    no: ["reg.corp.test", "reg.corp.test:80"],
  },
  "10.1.2.3:443,10.1.2.4": { yes: ["10.1.2.3", "10.1.2.4:5000"], no: ["10.1.2.3:5000", "10.1.2.5"] },
  "fd00::1,[fd00::2]:5000": { yes: ["[fd00::1]:5000", "[fd00:0::2]:5000"], no: ["[fd00::2]", "[fd00::3]"] },
  "*": { yes: ["reg.corp.test", "10.1.2.3"], no: [] },
  "10.0.0.0/99,/8,:80,.": { yes: [], no: ["10.1.2.3", "a"] },
};

for (const [text, { yes, no }] of Object.entries(excepted)) {
  test(`NO_PROXY=${text}`, () => {
    const proxyOf = (host: string) =>
      chooseProxy(new URL(`https://${host}/v2/`), { HTTPS_PROXY: "http://proxy:3128", NO_PROXY: text });
    for (const host of yes) assert.equal(proxyOf(host), undefined, host);
    for (const host of no) assert.equal(proxyOf(host), "http://proxy:3128/", host);
  });
}

test("a proxy is a host and a port or a URL; this machine has none, what is no proxy is refused", () => {
  const url = new URL("https://reg.corp.test/v2/");
  assert.equal(chooseProxy(url, { HTTPS_PROXY: "localhost:3128" }), "http://localhost:3128/");
  assert.equal(chooseProxy(url, { https_proxy: "https://me:word@proxy" }), "https://me:word@proxy/");
  assert.equal(chooseProxy(url, { HTTPS_PROXY: "a:1", https_proxy: "b:1" }), "http://a:1/");
  assert.equal(chooseProxy(url, { HTTP_PROXY: "a:1" }), undefined);
  for (const host of ["localhost", "127.0.0.1:5000", "[::1]:5000"])
    assert.equal(chooseProxy(new URL(`http://${host}/`), { HTTP_PROXY: "a:1" }), undefined);
  for (const proxy of ["socks5://me:word@proxy:1080", "http://[bad", "http://"]) {
    assert.throws(
      () => chooseProxy(url, { HTTPS_PROXY: proxy }),
      /^[^:]+: Cannot use the proxy "((?!word).)*"/,
    );
  }
});

test("requests go by the proxy that is there for them", async () => {
  const seen: string[] = [];
  await using proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.end();
  });
  proxy.on("connect", (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  proxy.listen(0, "127.0.0.1", resolve);
  await promise;
  const { port } = proxy.address() as AddressInfo;
  const environment = {
    HTTP_PROXY: `127.0.0.1:${port}`,
    HTTPS_PROXY: `127.0.0.1:${port}`,
    NO_PROXY: "direct.invalid",
  };
  using transport = new Transport({ environment, userAgent: "test" });
  const get = async (url: string) => {
    const { body } = await transport.send({ method: "GET", url: new URL(url) });
    body.resume();
  };
  await get("http://reg.invalid:5000/v2/");
  await assert.rejects(get("https://reg.invalid:5000/v2/"), { kind: "unavailable" });
  await assert.rejects(get("http://direct.invalid/v2/"), { kind: "unavailable" });
  assert.deepEqual(seen, ["GET http://reg.invalid:5000/v2/", "CONNECT reg.invalid:5000"]);
  proxy.closeAllConnections();
});
