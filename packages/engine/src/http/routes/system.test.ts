import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import type { SystemInfo, SystemVersion } from "@hawser/api";
import { eventually } from "@hawser/base/testing";
import { EventBus } from "../../events/event-bus.ts";
import { parseOsRelease } from "../../system/host-facts.ts";
import { SystemService } from "../../system/system-service.ts";
import { openApi } from "../testing/open-api.ts";
import { shownConfig } from "../testing/shown-config.ts";
import { eventRoutes } from "./events.ts";
import { systemRoutes } from "./system.ts";

async function open() {
  const events = new EventBus({ now: Date.now });
  const system = new SystemService({
    plugins: { names: async () => [] },
    live: shownConfig({ hosts: ["unix:///x", "tcp://127.0.0.1:2375"] }),
    host: {
      cgroups: { mode: "v1", mountPoints: [] },
      runtimes: { crun: { path: "/nowhere/crun", args: [] } },
      defaultRuntime: "crun",
      initPath: "/init",
      now: Date.now,
    },
    index: { list: () => [] },
    images: { count: () => 3 },
    events,
    version: "1.2.3",
  });
  const api = await openApi([...systemRoutes(system), ...eventRoutes(events)]);
  return { api, events, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}

describe("the system routes", () => {
  test("answer a ping as clients negotiate by it", async () => {
    await using engine = await open();
    const get = await engine.api.ask("GET", "/_ping");
    assert.equal(get.text, "OK");
    assert.equal(get.headers["content-length"], "2");
    const head = await engine.api.ask("HEAD", "/_ping");
    assert.equal(head.text, "");
    for (const { status, headers } of [get, head]) {
      assert.equal(status, 200);
      assert.equal(headers["api-version"], "1.51");
      assert.equal(headers["ostype"], "linux");
      assert.equal(headers["swarm"], "inactive");
      assert.equal(headers["builder-version"], "2");
      assert.equal(headers["cache-control"], "no-cache, no-store, must-revalidate");
    }
    assert.equal(head.headers["content-length"], "0");
  });

  test("tell versions and facts", async () => {
    await using engine = await open();
    const version = JSON.parse((await engine.api.ask("GET", "/v1.24/version")).text) as SystemVersion;
    assert.equal(version.Components[0]?.Name, "Engine");
    assert.equal(version.Version, "1.2.3");
    assert.equal(version.ApiVersion, "1.51");
    assert.equal(version.MinAPIVersion, "1.24");
    const info = JSON.parse((await engine.api.ask("GET", "/info")).text) as SystemInfo;
    assert.equal(info.Images, 3);
    assert.equal(info.DefaultRuntime, "crun");
    assert.ok(info.MemTotal > 0 && info.NCPU > 0);
    assert.ok(info.Warnings?.some((warning) => warning.includes("http://127.0.0.1:2375 without encryption")));
    assert.match(info.ID, /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
  });

  test("stream events, with the head before the first one", async () => {
    await using engine = await open();
    const socket = connect(engine.api.path);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString();
    });
    socket.write(
      'GET /v1.41/events?filters={"type":["container"]} HTTP/1.1\r\n\r\n'.replace(
        /["{}[\]]/g,
        encodeURIComponent,
      ),
    );
    await eventually(() => text.includes("\r\n\r\n"));
    assert.match(text, /Content-Type: application\/json\r\n/);
    engine.events.publish({ type: "image", action: "tag", actor: { id: "sha256:1", attributes: {} } });
    engine.events.publish({
      type: "container",
      action: "die",
      actor: { id: "abc", attributes: { image: "<busybox>", exitCode: "3" } },
    });
    await eventually(() => text.includes("timeNano"));
    assert.match(
      text,
      /\{"status":"die","id":"abc","from":"<busybox>","Type":"container","Action":"die","Actor":\{"ID":"abc","Attributes":\{"image":"<busybox>","exitCode":"3"\}\},"scope":"local","time":\d{10},"timeNano":\d{19}\}\n/,
    );
    assert.ok(!text.includes("sha256:1"));
    socket.destroy();
    await eventually(() => engine.events.subscriberCount === 0);
  });

  test("refuse events in a wrong order or with a wrong filter", async () => {
    await using engine = await open();
    const ask = async (query: string) => await engine.api.ask("GET", `/events?${query}`);
    assert.equal(
      (await ask("since=20&until=10.5")).text,
      '{"message":"`since` time (20) cannot be after `until` time (10.5)"}\n',
    );
    assert.equal((await ask("since=yesterday")).status, 400);
    assert.equal((await ask("filters=%5B%5D")).status, 400);
    assert.equal((await ask("since=2020-01-01T00:00:00Z&until=1577836801.5")).text, "");
  });
});

test("os-release is read as its manual says", () => {
  const read = parseOsRelease(`# c\nNAME="A \\"B\\""\nPRETTY_NAME='It is'\nVERSION_ID=12\nbad\n`);
  assert.deepEqual(
    [...read],
    [
      ["NAME", 'A "B"'],
      ["PRETTY_NAME", "It is"],
      ["VERSION_ID", "12"],
    ],
  );
});
