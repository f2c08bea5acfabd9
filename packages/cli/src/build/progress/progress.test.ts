import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import { PlainPrinter } from "./plain-printer.ts";
import { withoutControls } from "./printer.ts";
import { BuildSteps, type StatusLine } from "./steps.ts";
import { treeLines } from "./tree-printer.ts";

const at = (ms: number) => new Date(ms).toISOString();
const base64 = (text: string | Uint8Array) => Buffer.from(text).toString("base64");

const told: readonly StatusLine[] = [
  {
    vertexes: [
      { digest: "a", name: "[1/2] FROM x" },
      { digest: "b", name: "[2/2] RUN make" },
    ],
  },
  { vertexes: [{ digest: "a", name: "[1/2] FROM x", started: at(0), completed: at(0), cached: true }] },
  { vertexes: [{ digest: "b", name: "[2/2] RUN make", started: at(1000) }] },
  {
    statuses: [{ id: "transferring x:", vertex: "b", current: 2000, started: at(1000), completed: at(1200) }],
  },
  { logs: [{ vertex: "b", data: base64("one\ntw"), timestamp: at(1500) }] },
  { logs: [{ vertex: "b", data: base64("o\nend"), timestamp: at(2000) }] },
  { warnings: [{ short: base64("Rule: careful (line 2)") }] },
  {
    vertexes: [{ digest: "b", name: "[2/2] RUN make", started: at(1000), completed: at(3500), error: "no" }],
  },
];

describe("progress of a build", () => {
  test("plain: numbered lines, whole ones only, with times", () => {
    const out = new PassThrough();
    const printer = new PlainPrinter({ out, now: () => 0 });
    for (const line of told) printer.take(line);
    assert.equal(
      String(out.read()),
      `#1 [1/2] FROM x
#1 CACHED

#2 [2/2] RUN make
#2 transferring x: 2kB 0.2s done
#2 0.500 one
#2 1.000 two
WARN: Rule: careful (line 2)
#2 2.500 end
#2 ERROR: no
`,
    );
    assert.equal(printer.failed?.name, "[2/2] RUN make");
  });

  test("a step that was kept, and is done all the same, is shown again", () => {
    const out = new PassThrough();
    const printer = new PlainPrinter({ out, now: () => 0 });
    const step = { digest: "a", name: "[1/1] RUN make", started: at(0) };
    printer.take({ vertexes: [{ ...step, completed: at(0), cached: true }] });
    printer.take({ vertexes: [{ ...step, started: at(1000) }] });
    printer.take({ logs: [{ vertex: "a", data: base64("one\n"), timestamp: at(1500) }] });
    printer.take({ vertexes: [{ ...step, started: at(1000), completed: at(2000) }] });
    assert.equal(String(out.read()), "#1 [1/1] RUN make\n#1 CACHED\n#1 0.500 one\n#1 DONE 1.0s\n");
  });

  test("tree: what goes on is there when there is no room for all, and no line is wider than the terminal", () => {
    const steps = new BuildSteps();
    for (const line of told.slice(0, -1)) steps.take(line);
    const view = { columns: 40, rows: 99, nowMs: 3000, beganMs: 0, isOver: false };
    assert.deepEqual(treeLines(steps, view), [
      "[+] Building 3.0s (1/2)",
      " => CACHED [1/2] FROM x             0.0s",
      " => [2/2] RUN make                  2.0s",
      " => => transferring x: 2kB          0.2s",
      " => => # one",
      " => => # two",
    ]);
    const small = treeLines(steps, { ...view, columns: 12, rows: 5 });
    assert.deepEqual(
      small.map((line) => line.length > 12),
      [false, false, false, false, false],
    );
    assert.ok(!small.some((line) => line.includes("CACHED")));
    steps.take(told.at(-1) ?? {});
    assert.match(treeLines(steps, { ...view, isOver: true }).join("\n"), /FINISHED\n[^]*=> ERROR \[2\/2\]/);
  });

  test("output comes in pieces: of characters, and of lines without end", () => {
    const steps = new BuildSteps();
    steps.take({ vertexes: [{ digest: "b", name: "b", started: at(0) }] });
    const bytes = Buffer.from("grün\n");
    const lines = [bytes.subarray(0, 3), bytes.subarray(3)].flatMap((data) =>
      steps.take({ logs: [{ vertex: "b", data: base64(data) }] }),
    );
    assert.deepEqual(
      lines.map((change) => change.kind === "line" && change.line.text),
      ["grün"],
    );
    const endless = steps.take({ logs: [{ vertex: "b", data: base64(Buffer.alloc(10 << 20, 0x78)) }] });
    assert.ok(endless.length > 100);
    assert.ok((steps.all[0]?.lines.length ?? 0) <= 200);
  });

  test("a terminal obeys nothing that a container has printed", () => {
    assert.equal(withoutControls("\x1b[2J\x1b]0;title\x07a\tb\x1b[31mred\x00\x9b"), "a    bred");
    assert.equal(withoutControls("10%\r20%"), "20%");
  });
});
