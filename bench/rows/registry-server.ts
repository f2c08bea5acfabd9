import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { Agent, request as httpRequest } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { eventually, openTempDir } from "@hawser/base/testing";
import { mediaTypes } from "@hawser/oci";
import { startProgram } from "../../test/e2e/kit-process.ts";
import { startRegistry } from "../../test/e2e/kit-registry-program.ts";
import { root } from "../../tools/tree.ts";
import type { Row, RowContext } from "../row.ts";
import { interleave, type Summary } from "../stats.ts";

/** A registry that is measured, and what it is asked for. */
interface Subject {
  readonly url: string;
  readonly pid: number;
  readonly blob: string;
}

const blobBytes = 64 << 20;
const streams = 16;
const manifestGets = 5000;
const pushers = 100;
const pushBytes = { full: 100 << 20, usual: 20 << 20 };

/** Our registry and Debian's `docker-registry`, each a process on loopback with what a registry does all day. */
export const registryServer: readonly Row[] = [
  row(
    "registry-blob",
    "registry: processor time of 1 GB of blobs to 16 streams",
    "ms",
    { over: 1.5 },
    async (subject) => {
      const before = cpuMs(subject.pid);
      const agent = new Agent({ keepAlive: true, maxSockets: streams });
      await Promise.all(
        Array.from({ length: streams }, () => get(subject, agent, `/v2/a/blobs/${subject.blob}`)),
      );
      agent.destroy();
      return (cpuMs(subject.pid) - before) / ((streams * blobBytes) / 1e9);
    },
  ),
  row(
    "registry-manifest",
    "registry: 5,000 manifests by tag over 64 connections",
    "ms",
    { over: 2 },
    async (subject) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 64 });
      const started = performance.now();
      await Promise.all(Array.from({ length: manifestGets }, () => get(subject, agent, "/v2/a/manifests/1")));
      agent.destroy();
      return performance.now() - started;
    },
  ),
  row("registry-manifest-cpu", "registry: processor time of the same", "ms", { over: 2 }, async (subject) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 64 });
    const before = cpuMs(subject.pid);
    await Promise.all(Array.from({ length: manifestGets }, () => get(subject, agent, "/v2/a/manifests/1")));
    agent.destroy();
    return cpuMs(subject.pid) - before;
  }),
  row(
    "registry-memory",
    "registry: largest resident set while 100 clients push 20 MB each (`--full`: 100 MB)",
    "MB",
    { most: 200 },
    async (subject, { full }) => {
      const bytes = full ? pushBytes.full : pushBytes.usual;
      const agent = new Agent({ keepAlive: true, maxSockets: pushers });
      await Promise.all(
        Array.from({ length: pushers }, () => push(subject, agent, "b", randomContent(bytes))),
      );
      agent.destroy();
      const [, kilobytes] =
        /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${subject.pid}/status`, "utf8")) ?? [];
      return Number(kilobytes) / 1000;
    },
  ),
];

function row(
  name: string,
  title: string,
  unit: Row["unit"],
  goal: { readonly over?: number; readonly most?: number },
  measure: (subject: Subject, context: RowContext) => Promise<number>,
): Row {
  const { over, most } = goal;
  return {
    name,
    title,
    unit,
    goal: {
      subject: "hawser",
      ...(over !== undefined && { over: { docker: over } }),
      ...(most !== undefined && { most }),
    },
    run: (context) => withRegistries(context, (subject) => measure(subject, context)),
  };
}

async function withRegistries(
  { rounds = 3, onFailure }: RowContext,
  measure: (subject: Subject) => Promise<number>,
): Promise<Map<string, Summary>> {
  await using dir = await openTempDir("hawser-bench-registry-");
  await using own = await startRegistry(dir.path, [], [join(root, "hawser-registry")]);
  await using peer = await startDockerRegistry(join(dir.path, "peer"));
  const subjects = new Map<string, Subject>();
  for (const [name, { url, pid }] of Object.entries({
    docker: peer,
    hawser: { url: own.url, pid: own.program.pid },
  })) {
    const blob = await fill(url);
    subjects.set(name, { url, pid, blob });
  }
  return await interleave(subjects, { rounds, measure, onFailure });
}

async function startDockerRegistry(folder: string) {
  await mkdir(folder);
  const port = await freePort();
  const config = join(folder, "config.yml");
  await writeFile(
    config,
    `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: ${folder} } }
http: { addr: "127.0.0.1:${port}" }
`,
  );
  const program = await startProgram(["docker-registry", "serve", config], { log: join(folder, "log") });
  const url = `http://127.0.0.1:${port}`;
  const isUp = async () =>
    await fetch(`${url}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    );
  await eventually(isUp, { what: "docker-registry answers" });
  return { url, pid: program.pid, [Symbol.asyncDispose]: () => program.kill("SIGTERM") };
}

async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("there is no port");
  return address.port;
}

/** A large blob, and a manifest called `1`. Returns the blob's digest. */
async function fill(url: string): Promise<string> {
  const agent = new Agent({ keepAlive: true });
  const blob = await push({ url }, agent, "a", randomContent(blobBytes));
  const config = await push({ url }, agent, "a", [Buffer.from("{}")]);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: { mediaType: mediaTypes.dockerConfig, digest: config, size: 2 },
      layers: [{ mediaType: mediaTypes.dockerLayerGzip, digest: blob, size: blobBytes }],
    }),
  );
  await send(agent, "PUT", `${url}/v2/a/manifests/1`, {
    type: mediaTypes.dockerManifest,
    pieces: [manifest],
  });
  agent.destroy();
  return blob;
}

const noise = randomBytes(1 << 20);

/** Pieces of bytes that nobody has seen as a whole; all but the first are the same memory. */
function randomContent(bytes: number): readonly Buffer[] {
  const first = Buffer.from(noise);
  randomBytes(32).copy(first);
  return Array.from({ length: bytes / noise.length }, (_, at) => (at === 0 ? first : noise));
}

async function push(
  { url }: { readonly url: string },
  agent: Agent,
  repository: string,
  pieces: readonly Buffer[],
) {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  const digest = `sha256:${hash.digest("hex")}`;
  const { location } = await send(agent, "POST", `${url}/v2/${repository}/blobs/uploads/`);
  const to = new URL(location ?? "", url);
  to.searchParams.append("digest", digest);
  await send(agent, "PUT", to.href, { type: "application/octet-stream", pieces });
  return digest;
}

async function get({ url }: Subject, agent: Agent, path: string): Promise<void> {
  await send(agent, "GET", `${url}${path}`);
}

async function send(
  agent: Agent,
  method: string,
  url: string,
  body?: { readonly type: string; readonly pieces: readonly Buffer[] },
): Promise<{ readonly location: string | undefined }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly location: string | undefined }>();
  const pieces = body?.pieces ?? [];
  const sent = httpRequest(url, {
    method,
    agent,
    headers: {
      accept: `${mediaTypes.dockerManifest}, */*`,
      ...(body && { "content-type": body.type }),
      "content-length": pieces.reduce((sum, { length }) => sum + length, 0),
    },
  });
  sent.on("error", reject);
  sent.on("response", (response) => {
    response.resume();
    response.on("end", () => {
      const { statusCode = 0 } = response;
      if (statusCode >= 300) reject(new Error(`${method} ${url}: ${statusCode}`));
      else resolve({ location: response.headers.location });
    });
  });
  const [answer] = await Promise.all([promise, pipeline(Readable.from(pieces), sent)]);
  return answer;
}

/** Processor time that a process has used. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
