import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { openTempDir } from "@hawser/base/testing";
import { serversArchive } from "../test/images/debian.ts";
import { root } from "../tools/tree.ts";
import { makeImages } from "./images.ts";
import type { Peer } from "./peer.ts";
import { openCliAlone } from "./peers/cli-alone.ts";
import { openCrunPeer } from "./peers/crun.ts";
import { openDockerPeer } from "./peers/docker.ts";
import { openHawserPeers } from "./peers/hawser.ts";
import { openPodmanPeer } from "./peers/podman.ts";
import type { Row } from "./row.ts";
import { loadImage, saveImage } from "./rows/archives.ts";
import { buildAgain, buildChanged } from "./rows/builds.ts";
import { buildCold, buildStages } from "./rows/cold-builds.ts";
import { engineMemory, helperMemory } from "./rows/density.ts";
import { engineOnly } from "./rows/engine-only.ts";
import { execTrue } from "./rows/exec.ts";
import { logEngineCpu, logThroughput } from "./rows/logs.ts";
import { listApi, listCli, removeRunning, restartEngine } from "./rows/many-containers.ts";
import { createNetwork, publishedPorts, throughputBetween, throughputPublished } from "./rows/networks.ts";
import { programsPerRun } from "./rows/programs.ts";
import { registryServer } from "./rows/registry-server.ts";
import { runBridge, runNone, runTogether } from "./rows/run.ts";
import { transfers } from "./rows/transfers.ts";
import { enterSandbox } from "./sandbox.ts";
import { formatTable, judge, type RowResult } from "./table.ts";

/** `npm run bench`: see bench/README.md. */
const rows: readonly Row[] = [
  runNone,
  runBridge,
  engineOnly,
  runTogether,
  execTrue,
  helperMemory,
  engineMemory,
  programsPerRun,
  listCli,
  listApi,
  removeRunning,
  restartEngine,
  saveImage,
  loadImage,
  logThroughput,
  logEngineCpu,
  ...transfers,
  ...registryServer,
  buildAgain,
  buildChanged,
  buildCold,
  buildStages,
  publishedPorts,
  createNetwork,
  throughputBetween,
  throughputPublished,
];

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: rows.map(({ name }) => name).join(",") },
    peers: { type: "string", default: "docker,podman,hawser" },
    rounds: { type: "string" },
    count: { type: "string", default: "100" },
    full: { type: "boolean", default: false },
    json: { type: "string", default: join(root, "build/bench.json") },
  },
});
const wanted = values.rows.split(",");
// What is made from Debian's registry, before the sandbox shuts it out.
if (wanted.some((name) => name.startsWith("throughput-"))) await serversArchive();
enterSandbox();

const chosen = rows.filter(({ name }) => wanted.includes(name));
if (chosen.length !== wanted.length) throw new Error(`rows are ${rows.map(({ name }) => name).join(", ")}`);

const progress = (text: string) => process.stderr.write(`${text}\n`);
const failures = new Map<string, number>();
const results: RowResult[] = [];

await using dir = await openTempDir("hawser-bench-");
await using opened = new AsyncDisposableStack();
const images = await makeImages(dir.path);
const crun = opened.use(await openCrunPeer(images));
const peers = new Map<string, Peer>();
for (const name of values.peers.split(",")) {
  progress(`opening ${name}`);
  if (name === "docker") peers.set(name, opened.use(await openDockerPeer(images)));
  else if (name === "cli-alone") peers.set(name, opened.use(await openCliAlone()));
  else if (name === "podman") peers.set(name, opened.use(await openPodmanPeer(images)));
  else if (name === "hawser") {
    for (const peer of opened.use(await openHawserPeers(images)).peers) peers.set(peer.name, peer);
  } else throw new Error(`peers are docker, podman, hawser, cli-alone; not "${name}"`);
}

const loadBefore = loadavg();
for (const row of chosen) {
  progress(`${row.name}: load ${loadavg()[0]?.toFixed(2)}`);
  const figures = await row.run({
    peers,
    crun,
    wanted: new Set(wanted),
    count: Number(values.count),
    full: values.full,
    ...(values.rounds !== undefined && { rounds: Number(values.rounds) }),
    onFailure(name, error) {
      const key = `${row.name} ${name}`;
      failures.set(key, (failures.get(key) ?? 0) + 1);
      if (failures.get(key) === 1)
        progress(`${key}: ${error instanceof Error ? error.message : String(error)}`);
    },
  });
  results.push(judge(row, figures));
}

const machine = {
  kernel: release(),
  processors: cpus().length,
  model: cpus()[0]?.model,
  loadBefore,
  loadAfter: loadavg(),
};
mkdirSync(dirname(values.json), { recursive: true });
writeFileSync(values.json, `${JSON.stringify({ machine, results }, finiteOrText, 2)}\n`);
console.log(formatTable(results));
console.log(
  `\nload ${loadBefore.map((load) => load.toFixed(2)).join(" ")} before, ` +
    `${machine.loadAfter.map((load) => load.toFixed(2)).join(" ")} after; ` +
    `${machine.processors} processors, Linux ${machine.kernel}`,
);

/** JSON has no infinity. */
function finiteOrText(_key: string, value: unknown): unknown {
  return value === Infinity ? "infinite" : value;
}
