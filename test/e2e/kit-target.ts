import { existsSync, realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { root } from "../../tools/tree.ts";
import { debianArchive } from "../images/debian.ts";
import { dockerCli, hawserCli } from "./kit-cli.ts";
import { openDockerd } from "./kit-dockerd.ts";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { ask } from "./kit-http.ts";
import { type CommandOptions, type CommandResult, runCommand, runCommandOk } from "./kit-process.ts";

/**
 * What the tests of Docker's behaviour speak to: an engine of the file's own or, with `HAWSER_E2E_AGAINST=dockerd`, a real
 * dockerd, which proves the tests.
 */
export interface Target {
  /** `unix://…`, for DOCKER_HOST. */
  host(): string;
  socket(): string;
  /** The engine; only for tests that are `hawserOnly`. */
  engine(): TestEngine;
  /** The docker CLI. Its exit code is a result. */
  docker(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** The docker CLI; anything but exit code 0 is an error. Returns its standard output. */
  ok(...args: readonly string[]): Promise<string>;
  /** What the API tells of one object, looked for as `docker inspect` looks for it, without a start of that. */
  inspect(name: string): Promise<Inspected>;
  /** Environment in which every client finds the target. */
  environment(): Readonly<Record<string, string | undefined>>;
}

/** A client that has docker's grammar. */
export interface Client {
  readonly name: string;
  readonly argv: readonly string[];
}

export type Inspected = Readonly<Record<string, Json>>;
/** A JSON value that a test looks into: every step may be missing. */
export type Json = { readonly [key: string]: Json } & { readonly [index: number]: Json };

/** A scalar of JSON, as text. */
export function textOf(value: Json | undefined): string {
  return `${value as unknown as string | number | boolean | null | undefined}`;
}

const against = process.env["HAWSER_E2E_AGAINST"] ?? "hawser";
if (against !== "hawser" && against !== "dockerd") {
  throw new Error(`Cannot test against HAWSER_E2E_AGAINST=${against}: hawser or dockerd was wanted`);
}

export const againstDockerd = against === "dockerd";

/** Option of tests that state what only Hawser does; each difference has its line in differences.md. */
export const hawserOnly = { skip: againstDockerd } as const;

/** Every client that is installed: docker's, an older one of Debian's beside it, and Hawser's. */
export const clients: readonly Client[] = [
  { name: "docker", argv: [dockerCli()] },
  ...olderDocker().map((path) => ({ name: "Debian's docker", argv: [path] })),
  { name: "hawser", argv: hawserCli() },
];

/** Images that a file wants; `busybox` is Debian's, `ubuntu` a Debian with bash and coreutils. */
export type TargetImage = "busybox" | "hello-world" | "ubuntu";

/**
 * One target for all tests of a file, open from its first test to its last, with images loaded and then whatever `prepare`
 * makes.
 */
export function useTarget(
  options: {
    readonly images?: readonly TargetImage[];
    readonly prepare?: (target: Target) => Promise<void>;
  } = {},
): Target {
  let opened: { readonly host: string; readonly socket: string; readonly engine?: TestEngine } | undefined;
  const resources = new AsyncDisposableStack();
  const current = () => {
    if (opened === undefined)
      throw new Error("the target is not open: it is between the file's first test and its last");
    return opened;
  };
  const target: Target = {
    host: () => current().host,
    socket: () => current().socket,
    engine() {
      const { engine } = current();
      if (engine === undefined) throw new Error("a test of the engine itself must be hawserOnly");
      return engine;
    },
    environment: () => ({
      ...process.env,
      DOCKER_HOST: current().host,
      DOCKER_CONFIG: "/nonexistent",
      DOCKER_BUILDKIT: "0",
      TERM: "xterm",
    }),
    docker: (args, command = {}) =>
      runClient(target, { name: "docker", argv: [dockerCli()] }, { args, ...command }),
    async ok(...args) {
      const { exitCode, stdout, stderr } = await target.docker(args);
      if (exitCode !== 0)
        throw new Error(`exit code ${exitCode}: docker ${args.join(" ")}\n${stderr}${stdout}`);
      return stdout;
    },
    async inspect(name) {
      for (const path of [
        `containers/${name}/json`,
        `images/${name}/json`,
        `networks/${name}`,
        `volumes/${name}`,
      ]) {
        const answer = await ask(target.socket(), `GET /${path}`);
        if (answer.status === 200) return JSON.parse(answer.text) as Inspected;
      }
      throw new Error(`no object has the name ${name}`);
    },
  };
  before(async () => {
    if (againstDockerd) opened = resources.use(await openDockerd({ isolate: true }));
    else {
      const engine = resources.use(await openEngine());
      opened = { host: engine.host, socket: engine.socket, engine };
    }
    for (const image of options.images ?? ["busybox"]) await loadImage(target, image);
    await options.prepare?.(target);
  });
  after(() => resources.disposeAsync());
  return target;
}

/** Run one of `clients`; its exit code is a result. */
export function runClient(
  target: Target,
  client: Client,
  { args, ...options }: CommandOptions & { readonly args: readonly string[] },
): Promise<CommandResult> {
  return runCommand([...client.argv, ...args], {
    ...options,
    env: { ...target.environment(), ...options.env },
  });
}

/** hello-world as it is; busybox without the label that makes the engine say, on every use, that it is the built-in one. */
async function loadImage(target: Target, image: TargetImage): Promise<void> {
  const builtIn = join(root, `build/images/${image}.tar`);
  if (image === "hello-world") await target.ok("load", "--input", builtIn);
  if (image === "ubuntu") {
    await target.ok(
      "import",
      "--change",
      'CMD ["/bin/bash"]',
      await debianArchive("bookworm"),
      "ubuntu:latest",
    );
  }
  if (image === "busybox") {
    const what = "POST /images/create?fromSrc=-&repo=busybox&tag=latest&changes=CMD%20%5B%22sh%22%5D";
    const { text } = await ask(target.socket(), what, { body: await findLayer(image) });
    if (!text.includes("sha256:")) throw new Error(`busybox is not imported: ${text}`);
  }
}

/** The archive of a built-in image's files: a root file system to make images of. */
export async function findLayer(image: "busybox" | "hello-world"): Promise<Uint8Array> {
  await using work = await openTempDir("hawser-e2e-layer-");
  await runCommandOk(["tar", "-xf", join(root, `build/images/${image}.tar`), "-C", work.path]);
  const manifest = await readFile(join(work.path, "manifest.json"), "utf8");
  const [saved] = JSON.parse(manifest) as { readonly Layers: readonly string[] }[];
  const [layer, ...others] = saved?.Layers ?? [];
  if (layer === undefined || others.length > 0) throw new Error(`${image} was expected to have one layer`);
  return await readFile(join(work.path, layer));
}

function olderDocker(): string[] {
  const path = "/usr/bin/docker";
  return existsSync(path) && realpathSync(path) !== realpathSync(dockerCli()) ? [path] : [];
}
