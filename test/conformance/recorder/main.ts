import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { openEngine } from "../../e2e/kit-engine.ts";
import { findLayer } from "../../e2e/kit-target.ts";
import { judge, otherWordsPath } from "./accepted.ts";
import { scenarios } from "./calls/index.ts";
import { compare, type Difference, formatDifference, formatRecording, parseRecording } from "./compare.ts";
import { goldenPath, recordEngine } from "./golden.ts";
import { replay } from "./replay.ts";

/**
 * `node test/conformance/recorder/main.ts differences [--only <scenario>] [--all]` replays the list against an engine of its
 * own and prints, field by field, where it differs from what dockerd was recorded to say; with `--all` also where that is
 * accepted, with `--words` the refusals that have other words join those that may. `... record <socket> <folder> [--only <scenario>]` records a dockerd that has nothing yet, with data root and exec root in
 * `<folder>/data` and `<folder>/exec`: see README.md.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string", default: "" },
    all: { type: "boolean", default: false },
    words: { type: "boolean", default: false },
  },
});
const [verb, socketPath = "", folder = ""] = positionals;
const chosen = scenarios.filter(({ name }) => name.includes(values.only));
if (verb === "record") {
  const recording = await replay(chosen, {
    socketPath,
    own: [
      [`${folder}/data`, "<data root>"],
      [`${folder}/exec`, "<exec root>"],
    ],
    layer: await findLayer("busybox"),
  });
  const kept = parseRecording(await readFile(goldenPath, "utf8"));
  const isChosen = (call: string) => chosen.some(({ name }) => call.startsWith(`${name}: `));
  const others = [...kept].filter(([call]) => !isChosen(call));
  const all = [...others, ...recording];
  const inOrder = scenarios.flatMap(({ name }) => all.filter(([call]) => call.startsWith(`${name}: `)));
  await writeFile(goldenPath, formatRecording(new Map(inOrder)));
  console.log(`${recording.size} answers in ${goldenPath}`);
} else if (verb === "differences") {
  const golden = parseRecording(await readFile(goldenPath, "utf8"));
  await using engine = await openEngine();
  const recording = await recordEngine(engine, chosen);
  const wanted = new Map(
    [...golden].filter(([call]) => chosen.some(({ name }) => call.startsWith(`${name}: `))),
  );
  const differences = compare(wanted, recording);
  const { unexplained } = judge(differences);
  if (values.words) await writeWords(unexplained);
  const shown = values.all ? differences : unexplained;
  for (const difference of shown) console.log(formatDifference(difference));
  console.log(
    `${recording.size} answers, ${differences.length} differences, ${unexplained.length} unexplained`,
  );
} else {
  console.error("usage: main.ts differences [--only <scenario>] [--all] | record <socket> <folder>");
  process.exitCode = 2;
}

async function writeWords(differences: readonly Difference[]): Promise<void> {
  const before = (await readFile(otherWordsPath, "utf8")).split("\n");
  const calls = differences.filter(({ path }) => path === "body.message").map(({ call }) => call);
  const lines = new Set([...before, ...calls].filter((line) => line !== ""));
  await writeFile(otherWordsPath, [...lines].map((line) => `${line}\n`).join(""));
}
