import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseFilters } from "@hawser/api";
import { type EngineEvent, EventBus, type SubscribeOptions } from "./event-bus.ts";
import { eventFilterNames, matchesEvent } from "./event-filter.ts";

const fact = (id: string, action = "create") => ({
  type: "container",
  action,
  actor: { id, attributes: {} },
});

/** The ids of what a subscription gives until it ends. */
async function read(events: AsyncIterable<EngineEvent>): Promise<string[]> {
  const ids: string[] = [];
  for await (const event of events) ids.push(event.actor.id);
  return ids;
}

const all = (signal: AbortSignal): SubscribeOptions => ({ matches: () => true, signal });

describe("the event bus", () => {
  test("tells what happens after the subscription, until it is aborted", async () => {
    const events = new EventBus({ now: Date.now });
    events.publish(fact("before"));
    const stop = new AbortController();
    const subscription = events.subscribe(all(stop.signal));
    events.publish(fact("one"));
    const iterator = subscription[Symbol.asyncIterator]();
    assert.equal((await iterator.next()).value?.actor.id, "one");
    const next = iterator.next();
    events.publish(fact("two"));
    assert.equal((await next).value?.actor.id, "two");
    assert.equal(events.subscriberCount, 1);
    const last = iterator.next();
    stop.abort();
    assert.equal((await last).done, true);
    assert.equal(events.subscriberCount, 0);
  });

  test("replays what it remembers since then, and ends at once for a past until", async () => {
    let now = 1000;
    const events = new EventBus({ now: () => now });
    for (const id of ["a", "b", "c"]) {
      events.publish(fact(id));
      now += 1000;
    }
    const { signal } = new AbortController();
    const ns = (ms: number) => BigInt(ms) * 1_000_000n;
    assert.deepEqual(await read(events.subscribe({ ...all(signal), sinceNs: ns(2000), untilNs: ns(3500) })), [
      "b",
      "c",
    ]);
    assert.deepEqual(await read(events.subscribe({ ...all(signal), untilNs: ns(2000) })), ["a", "b"]);
    assert.deepEqual(
      await read(
        events.subscribe({
          sinceNs: 0n,
          untilNs: ns(3500),
          signal,
          matches: ({ actor }) => actor.id === "b",
        }),
      ),
      ["b"],
    );
  });

  test("ends by itself when until comes", async () => {
    let nowMs = 1000;
    const events = new EventBus({ now: () => nowMs });
    const { signal } = new AbortController();
    const subscription = read(events.subscribe({ ...all(signal), untilNs: 1_030_000_000n }));
    events.publish(fact("x"));
    nowMs = 1030;
    assert.deepEqual(await subscription, ["x"]);
  });

  test("gives each event a time of its own, in order, whatever the clock does", async () => {
    const times = [5, 5, 3, 6];
    const events = new EventBus({ now: () => times.shift() ?? 6 });
    for (const id of ["a", "b", "c"]) events.publish(fact(id));
    const { signal } = new AbortController();
    const seen: bigint[] = [];
    for await (const { timeNs } of events.subscribe({ ...all(signal), sinceNs: 0n, untilNs: 5_999_999n })) {
      seen.push(timeNs);
    }
    assert.deepEqual(seen, [5_000_000n, 5_000_001n, 5_000_002n]);
  });

  test("remembers a bounded number, and tells a reader who lost some", async () => {
    const events = new EventBus({ now: () => 1 });
    const slow = events.subscribe(all(new AbortController().signal));
    for (let count = 0; count < 5000; count += 1) events.publish(fact(String(count)));
    await assert.rejects(read(slow), { kind: "resource-exhausted" });
    assert.equal(events.subscriberCount, 0);
    const remembered = await read(
      events.subscribe({ ...all(new AbortController().signal), sinceNs: 0n, untilNs: 1_999_999n }),
    );
    assert.equal(remembered.length, 1024);
    assert.equal(remembered.at(-1), "4999");
  });
});

describe("a filter of events", () => {
  const event: EngineEvent = {
    type: "container",
    action: "exec_create: sh -c true",
    actor: { id: "0123456789ab", attributes: { name: "web", image: "reg:5000/a/nginx:1.2", stage: "test" } },
    timeNs: 1n,
  };
  for (const [filters, expected] of [
    ["{}", true],
    ['{"type":["container"]}', true],
    ['{"type":["image","container"]}', true],
    ['{"type":["image"]}', false],
    ['{"event":["exec_create"]}', true],
    ['{"event":["exec_create: sh -c true"]}', true],
    ['{"event":["exec"]}', false],
    ['{"container":["0123"]}', true],
    ['{"container":["web"]}', true],
    ['{"container":["db"]}', false],
    ['{"image":["reg:5000/a/nginx"]}', true],
    ['{"image":["reg:5000/a/nginx:1.2"]}', true],
    ['{"image":["nginx"]}', false],
    ['{"label":["stage"]}', true],
    ['{"label":["stage=test"]}', true],
    ['{"label":["stage=prod"]}', false],
    ['{"label":["stage","other"]}', false],
    ['{"scope":["swarm"]}', false],
    ['{"type":{"container":true}}', true],
    [`{"type":{"container":false,"image":true}}`, true],
  ] as const) {
    test(`${filters} ${expected ? "lets the event through" : "holds it back"}`, () => {
      assert.equal(matchesEvent(parseFilters(filters, eventFilterNames), event), expected);
    });
  }

  test("of an unknown name is refused", () => {
    assert.throws(() => parseFilters('{"colour":["red"]}', eventFilterNames), {
      kind: "invalid-argument",
      message: "invalid filter 'colour'",
    });
  });
});
