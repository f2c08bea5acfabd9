import { equal } from "node:assert/strict";
import test from "node:test";
import { Container } from "../../containers/container.ts";
import { makeContainerRecord } from "../../containers/testing/container-record.ts";
import { formatDuration, formatStatus, formatSummary, SummaryLists } from "./container-summary.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

test("formatDuration() rounds as Docker does", () => {
  const cases: readonly [number, string][] = [
    [-5, "Less than a second"],
    [450, "Less than a second"],
    [second, "1 second"],
    [45 * second, "45 seconds"],
    [46 * second, "46 seconds"],
    [59 * second, "59 seconds"],
    [minute, "About a minute"],
    [3 * minute, "3 minutes"],
    [35 * minute + 40 * second, "35 minutes"],
    [hour, "About an hour"],
    [hour + 45 * minute, "2 hours"],
    [3 * hour, "3 hours"],
    [day, "24 hours"],
    [day + 12 * hour, "36 hours"],
    [2 * day, "2 days"],
    [7 * day, "7 days"],
    [13 * day + 5 * hour, "13 days"],
    [14 * day, "2 weeks"],
    [30 * day, "4 weeks"],
    [2 * 30 * day, "2 months"],
    [365 * day, "12 months"],
    [2 * 365 * day, "2 years"],
  ];
  for (const [duration, text] of cases) equal(formatDuration(duration), text, String(duration));
});

test("formatStatus() says what ps shows", () => {
  const running = makeContainerRecord({ state: { status: "running", startedAtMs: 1000 } });
  equal(formatStatus(running, 1000 + 3 * minute), "Up 3 minutes");
  const exited = makeContainerRecord({ state: { status: "exited", exitCode: 137, finishedAtMs: 1000 } });
  equal(formatStatus(exited, 1000 + 2 * hour), "Exited (137) 2 hours ago");
  equal(formatStatus(makeContainerRecord(), 5000), "Created");
});

test("formatSummary() quotes arguments with white space, entrypoint first", () => {
  const record = makeContainerRecord({ body: { Entrypoint: ["sh", "-c"], Cmd: ["echo a b"] } });
  equal(formatSummary(new Container(record), { nowMs: 0, mounts: [] }).Command, "sh -c 'echo a b'");
});

test("a list's bytes are its JSON, at any time and after any change of a record", () => {
  const lists = new SummaryLists();
  const container = new Container(makeContainerRecord({ name: '"},"Status":"' }));
  const other = new Container(makeContainerRecord({ name: "other", body: { Cmd: ["größer", "容器"] } }));
  const check = (containers: readonly Container[], nowMs: number) => {
    const summaries = containers.map((one) => formatSummary(one, { nowMs, mounts: [] }));
    equal(lists.format(containers, { nowMs }).toString(), `${JSON.stringify(summaries)}\n`);
  };
  for (const nowMs of [0, 5000, 5000, 3 * hour]) check([container, other], nowMs);
  const { state } = container.record;
  container.record = { ...container.record, state: { ...state, status: "running", startedAtMs: 0 } };
  check([other, container], minute);
  check([], 0);
});
