import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, before } from "node:test";
import { eventually } from "@hawser/base/testing";
import type { TestEngine } from "./kit-engine.ts";
import { ask } from "./kit-http.ts";
import { findMounts } from "./kit-proc.ts";
import { runCommandOk } from "./kit-process.ts";
import type { Inspected, Json } from "./kit-target.ts";

/** Endpoints and bare namespaces that an engine holds ready. */
export const stockSize = 16;

/**
 * After each test of the file: no container is there, and nothing that one had. Registers its hooks when it is called, after
 * those that open the engine.
 */
export function requireIdleAfterEach(open: () => TestEngine): void {
  let descriptors = 0;
  before(async () => {
    const engine = open();
    await eventually(() => findPorts(engine.bridge).length >= stockSize, { what: "the stock is full" });
    descriptors = descriptorsOf(engine.pid()).length;
  });
  afterEach(async (context) => {
    const engine = open();
    let left: string[] = [];
    const look = async () => {
      left = await leftovers(engine, descriptors);
      return left.length === 0;
    };
    const passed = !("passed" in context) || context.passed;
    if (passed) await eventually(look, { deadlineMs: 20_000 }).catch(() => {});
    if (passed && left.length === 0) return;
    await clear(engine);
    assert.deepEqual(left, [], engine.log().split("\n").slice(-30).join("\n"));
  });
}

/** So that one test's failure is not the next one's. */
async function clear(engine: TestEngine): Promise<void> {
  const isUp = await ask(engine.socket, "GET /_ping").catch(() => undefined);
  if (isUp === undefined) {
    await engine.kill();
    await engine.start();
  }
  for (const { Id } of await listContainers(engine)) {
    await ask(engine.socket, `DELETE /containers/${wordOf(Id)}?force=1`);
  }
}

/** What an engine without containers has, and should not. */
async function leftovers(engine: TestEngine, idleDescriptors: number): Promise<string[]> {
  const descriptors = descriptorsOf(engine.pid());
  return [
    ...(await findLeftovers(engine)),
    // A few may come and go: keep-alive connections, what Node itself opens late, workers that wait for their work.
    ...(descriptors.length > idleDescriptors + 6 + 5 * workersOf(engine.pid())
      ? [`${descriptors.length} descriptors instead of ${idleDescriptors}: ${descriptors.join(" ")}`]
      : []),
  ];
}

/** What containers have of the machine, and of the engine's folders. */
export async function findLeftovers(engine: TestEngine): Promise<string[]> {
  const containers = await listContainers(engine);
  return [
    ...containers.map((container) => `container ${wordOf(container["Id"])}`),
    ...engine.monitors().map((pid) => `monitor ${pid}`),
    ...findCgroups(engine.cgroupParent).map((path) => `cgroup ${path}`),
    ...engine.launchers().flatMap((pid) => mountsOf(pid, engine.execRoot)),
    ...findMounts(join(engine.execRoot, "containers")).map((path) => `mount ${path}`),
    ...[
      join(engine.execRoot, "containers"),
      join(engine.dataRoot, "containers"),
      join(engine.dataRoot, "snapshots"),
      join(engine.dataRoot, "content/ingest"),
      join(engine.dataRoot, "layers/ingest"),
    ].flatMap((folder) => list(folder).map((name) => `folder ${join(folder, name)}`)),
    ...findPorts(engine.bridge)
      .slice(stockSize)
      .map((name) => `interface ${name}`),
    ...(await findRules(engine.nftTable)),
  ];
}

/** What `GET /containers/json?all=1` tells of each container. */
export async function listContainers(engine: TestEngine): Promise<Inspected[]> {
  const { text } = await ask(engine.socket, "GET /containers/json?all=1");
  return JSON.parse(text) as Inspected[];
}

/** A JSON value that is a text; empty when it is none. */
export function wordOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

/** Cgroups below an engine's own, in every hierarchy. */
export function findCgroups(parent: string): string[] {
  const top = "/sys/fs/cgroup";
  return ["", ...list(top)].flatMap((hierarchy) => {
    const folder = join(top, hierarchy, parent);
    return readFolders(folder).map((name) => join(folder, name));
  });
}

/** What the descriptors of a process point to. */
export function descriptorsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return list(folder).flatMap((name) => {
    try {
      return readlinkSync(join(folder, name));
    } catch {
      return []; // closed meanwhile
    }
  });
}

/** Threads of an engine that work on files, or wait for that. */
function workersOf(pid: number): number {
  const names = list(`/proc/${pid}/task`).map((task) => readText(`/proc/${pid}/task/${task}/comm`));
  return names.filter((name) => name === "files\n" || name === "layer\n").length;
}

/** Resident memory of a process that is its own or shared out, in bytes. */
export function memoryOf(pid: number): number {
  const [, kilobytes] = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

/** Interfaces on a bridge. */
export function findPorts(bridge: string): string[] {
  return list(`/sys/class/net/${bridge}/brif`);
}

/** What the rules hold for one container: its published ports. */
async function findRules(table: string): Promise<string[]> {
  const text = await runCommandOk(["nft", "list", "table", "inet", table]);
  return text.split("\n").filter((line) => /\b(tcp|udp|sctp) \. \S+/.test(line));
}

function mountsOf(pid: number, folder: string): string[] {
  return readFileSync(`/proc/${pid}/mountinfo`, "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith(`${folder}/`))
    .map((path) => `mount ${path} in the launcher's namespace`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // gone meanwhile
  }
}

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function readFolders(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
