import { deepEqual, equal, match } from "node:assert/strict";
import test from "node:test";
import { jsonLogger, type LogLevel, textLogger } from "./log.ts";

const now = () => new Date("2026-01-02T03:04:05.678Z");

test("text lines are those of dockerd, fields behind the message", () => {
  const lines: string[] = [];
  const log = textLogger({ level: "info", write: (line) => lines.push(line), now });
  log.info('it "went"', { path: "/a/b", count: 3, text: "two words" });
  log.debug("unseen");
  deepEqual(lines, [
    'time="2026-01-02T03:04:05.678Z" level=info msg="it \\"went\\"" path=/a/b count=3 text="two words"',
  ]);
});

test("JSON lines are objects, whatever is in them", () => {
  const lines: string[] = [];
  const log = jsonLogger({ level: "debug", write: (line) => lines.push(line), now });
  log.error("bad\nline", { error: new Error("why", { cause: new Error("deeper") }), size: 5n, level: "no" });
  const [line = ""] = lines;
  equal(line.includes("\n"), false);
  const value = JSON.parse(line) as Record<string, string>;
  deepEqual(
    [value["level"], value["msg"], value["time"], value["size"]],
    ["error", "bad\nline", "2026-01-02T03:04:05.678Z", "5"],
  );
  match(value["error"] ?? "", /why[^]*caused by: Error: deeper/);
});

test("the level may change while a logger is in use", () => {
  const lines: string[] = [];
  let level: LogLevel = "warn";
  const log = textLogger({
    get level() {
      return level;
    },
    write: (line) => lines.push(line),
    now,
  });
  log.info("one");
  level = "info";
  log.info("two");
  equal(lines.length, 1);
});
