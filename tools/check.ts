import { spawn } from "node:child_process";
import { checkDocs } from "./check-docs.ts";
import { checkLayers } from "./check-layers.ts";
import { requireTestPackages, root } from "./tree.ts";

requireTestPackages();

/** Types, lint, format, walls, docs: all at once, one report, exit code 1 when anything is wrong. */
const programs: Readonly<Record<string, readonly string[]>> = {
  types: ["node_modules/.bin/tsc", "--noEmit"],
  lint: ["node_modules/.bin/oxlint", "--type-aware", "--quiet"],
  format: ["node_modules/.bin/biome", "check", "--error-on-warnings", "."],
};

const functions: Readonly<Record<string, () => string[]>> = { walls: checkLayers, docs: checkDocs };

const started = performance.now();
const programResults = await Promise.all(
  Object.entries(programs).map(async ([name, [program = "", ...args]]) => {
    const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    const output: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
    const { promise, resolve, reject } = Promise.withResolvers<number | null>();
    child.on("error", reject);
    child.on("close", resolve);
    const code = await promise;
    return { name, problems: code === 0 ? [] : [Buffer.concat(output).toString().trim()] };
  }),
);
const results = [
  ...programResults,
  ...Object.entries(functions).map(([name, check]) => ({ name, problems: check() })),
];

for (const { name, problems } of results) {
  console.log(`${problems.length === 0 ? "ok  " : "FAIL"} ${name}`);
  for (const problem of problems) console.log(problem);
}
console.log(`${((performance.now() - started) / 1000).toFixed(1)} s`);
process.exitCode = results.some(({ problems }) => problems.length > 0) ? 1 : 0;
