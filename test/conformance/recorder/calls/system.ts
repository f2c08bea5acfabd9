import { call, inVersions, query, type Scenario, someVersions } from "../call.ts";

const raw = (note: string, text: string) => ({ request: "raw", note, raw: text });

/** Requests that are about no object: versions, host facts, paths that are not there, requests that are none. */
export const systemCalls: readonly Scenario[] = [
  {
    name: "system",
    calls: [
      call("GET /_ping"),
      call("HEAD /_ping"),
      call("GET /v1.24/_ping"),
      ...inVersions(["1.24", "1.40", "1.51"], "GET /version", { shape: true }),
      ...inVersions(someVersions, "GET /info", { shape: true }),
      call("GET /info", undefined, { shape: true }),
      call("GET /plugins"),
      call("GET /plugins/nope/json"),
    ],
  },
  {
    name: "paths and versions",
    calls: [
      ...["1.23", "1.52", "1.0", "2.0", "99.99", "1", "1.24.5", "abc", "-1.24"].map((version) =>
        call(`GET /v${version}/version`, undefined, { shape: version === "1.24.5" }),
      ),
      call("GET /v1.23/_ping"),
      call("GET /v1.99/containers/json"),
      call("GET /"),
      call("GET /v1.51"),
      call("GET /v1.51/"),
      call("GET /nope"),
      call("POST /nope", {}),
      call("GET /version/"),
      call("GET /containers"),
      call("GET /containers/"),
      call("GET /containers/a/b/c"),
      call("GET /images/"),
      call("PUT /_ping"),
      call("DELETE /version"),
      call("POST /info"),
      call("PATCH /containers/json"),
      call("GET /containers/create"),
      call("GET /containers/a%00b/json"),
      call("GET /containers/%zz/json"),
      call("HEAD /containers/json"),
      call("GET /v1.24/volumes/prune"),
      call("POST /v1.24/containers/prune"),
      call("POST /v1.24/images/prune"),
      call("POST /v1.30/build/prune"),
    ],
  },
  {
    name: "requests that are none",
    calls: [
      raw("no HTTP", "hello\r\n\r\n"),
      raw("no version", "GET /_ping\r\n\r\n"),
      raw("HTTP/1.0", "GET /_ping HTTP/1.0\r\n\r\n"),
      raw("no Host", "GET /_ping HTTP/1.1\r\nConnection: close\r\n\r\n"),
      raw("two Hosts", "GET /_ping HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"),
      raw("HTTP/9.9", "GET /_ping HTTP/9.9\r\nHost: a\r\n\r\n"),
      raw("a header without colon", "GET /_ping HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n"),
      raw("a space before the colon", "GET /_ping HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n"),
      raw("a folded header", "GET /_ping HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\nConnection: close\r\n\r\n"),
      raw(
        "two lengths",
        "POST /containers/create HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
      ),
      raw(
        "a negative length",
        "POST /containers/create HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\nConnection: close\r\n\r\n{}",
      ),
      raw(
        "an unknown encoding",
        "POST /containers/create HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\r\n{}",
      ),
      raw(
        "a broken chunk",
        "POST /containers/create HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
      ),
      raw("an absolute target", "GET http://docker/_ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
      raw("bare line feeds", "GET /_ping HTTP/1.1\nHost: a\nConnection: close\n\n"),
      call("GET /_ping", undefined, {
        note: "a header of 100 kB",
        headers: { "X-Big": "a".repeat(100_000) },
      }),
      call("GET /_ping", undefined, {
        note: "a header of 2 MB",
        headers: { "X-Big": "a".repeat(2_000_000) },
      }),
      call("OPTIONS /version"),
      call("GET /version", undefined, {
        note: "a body nobody asked for",
        headers: { "Content-Length": "2" },
        shape: true,
      }),
    ],
  },
  {
    name: "swarm",
    calls: [
      ...["swarm", "nodes", "services", "tasks", "secrets", "configs"].flatMap((noun) => [
        call(`GET /${noun}`),
        ...(noun === "swarm" ? [] : [call(`GET /${noun}/x`)]),
      ]),
      call("POST /swarm/leave"),
      call("POST /secrets/create", { Name: "a" }),
    ],
  },
  {
    name: "events",
    calls: [
      ...["since=abc", "until=abc", "since=2&until=1", "since=1.5&until=2.5"].map((q) =>
        call(`GET /events?${q}`),
      ),
      call("GET /events?since=1&until=2&filters=nonsense"),
      call(`GET /events?since=1&until=2&filters=${query({ nope: ["a"] })}`),
      call(`GET /events?since=1&until=2&filters=${query({ type: "a" })}`),
      call(`GET /events?since=1&until=2&filters=${query({ type: { container: true } })}`),
    ],
  },
  {
    name: "disk usage",
    calls: [
      ...inVersions(someVersions, "GET /system/df", { shape: true }),
      call("GET /system/df?type=container"),
      call("GET /system/df?type=volume&type=container"),
      call("GET /system/df?type=nope"),
      call("GET /v1.41/system/df?type=nope", undefined, { shape: true }),
    ],
  },
  {
    name: "auth",
    calls: [
      call("POST /auth"),
      call("POST /auth", "{"),
      call("POST /auth", []),
      call("POST /auth", { username: 5 }),
      call("POST /auth", { username: "a", password: "b", serveraddress: "127.0.0.1:9" }, { silent: true }),
      call("GET /distribution/UPPER/json"),
      call("POST /session", undefined, { silent: true }),
    ],
  },
];
