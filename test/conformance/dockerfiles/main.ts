import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { openBuildkitClient } from "../../e2e/kit-buildkit.ts";
import { openDockerd } from "../../e2e/kit-dockerd.ts";
import { openEngine } from "../../e2e/kit-engine.ts";
import { compareRecords, judge } from "./compare.ts";
import type { ImageRecord } from "./read-image.ts";
import { formatRecord, loadBases, recordShape } from "./record.ts";
import { listShapes, recordingPath } from "./shapes.ts";

/**
 * `node test/conformance/dockerfiles/main.ts record [--only <shape>]` has the dockerd on PATH build the shapes and writes down what
 * has become of them; `... differences` has an engine of its own build them and prints where it differs: see README.md.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: "string", default: "" } },
});
const [verb] = positionals;
if (verb !== "record" && verb !== "differences") {
  console.error("usage: main.ts record|differences [--only <shape>]");
  process.exit(2);
}
const isDocker = verb === "record";
await using target = isDocker ? await openDockerd({ isolate: true }) : await openEngine();
const environment = () => ({ ...process.env, DOCKER_HOST: target.host });
await using client = await openBuildkitClient({ environment }, "sid");
const run = (args: readonly string[]) => client.run(args);
const isBase = await loadBases(run);
for (const shape of listShapes()) {
  if (!shape.name.includes(values.only)) continue;
  try {
    const record = await recordShape(shape, { run, build: run, isBase, syntax: !isDocker });
    const path = recordingPath(shape.name);
    await mkdir(dirname(path), { recursive: true });
    if (isDocker) await writeFile(path, formatRecord(record));
    else {
      const docker = JSON.parse(await readFile(path, "utf8")) as ImageRecord;
      const differences = compareRecords(docker, record).map((difference) => `${shape.name}: ${difference}`);
      for (const difference of judge(differences).unexplained) console.log(difference);
    }
    console.log(`${shape.name}: ${record.layers.flat().length} entries in ${record.layers.length} layers`);
  } catch (error) {
    console.log(`${shape.name}: ${error instanceof Error ? error.message : "failed"}`);
    process.exitCode = 1;
  }
}
