import assert from "node:assert/strict";
import { fuzz, orRefused } from "@hawser/base/testing/fuzz";
import fc from "fast-check";
import { parseRequestHead } from "./request-head.ts";
import { Router } from "./router.ts";

const parts = [
  "GET",
  "POST",
  " ",
  "/",
  "/v1.41",
  "/containers/",
  "a",
  "%",
  "%2f",
  "%00",
  "?",
  "http://x",
  "HTTP/1.1",
  "HTTP/1.0",
  "\r\n",
  "\n",
  "\r",
  ":",
  "Host: a",
  "Content-Length: 5",
  "Content-Length: -1",
  "Transfer-Encoding: chunked",
  "Connection: close",
  "\0",
  "\t",
  "é",
] as const;
const soup = fc
  .array(fc.oneof(fc.constantFrom(...parts), fc.string({ maxLength: 4 })), { maxLength: 30 })
  .map((found) => found.join(""));

fuzz(
  "any head is understood one way or refused",
  fc.oneof(
    soup,
    soup.map((text) => `GET / HTTP/1.1\r\nHost: a\r\n${text}`),
  ),
  (text) => {
    const head = orRefused(["invalid-argument"], () => parseRequestHead(text));
    if (head === undefined) return;
    for (const [name, value] of head.headers) assert.doesNotMatch(`${name}${value}`, /[\r\n\0]/);
    if (head.framing.kind === "length") assert.ok(head.framing.bytes > 0);
  },
);

const router = new Router([{ method: "GET", path: "/containers/{id}/json", handler: () => {} }]);

fuzz("any path has a route or none", soup, (path) => {
  orRefused(["invalid-argument", "not-found"], () => router.match("GET", path));
});
