import { createServer } from "node:http2";
import { Duplex } from "node:stream";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { Fault } from "@hawser/base";
import {
  formatReference,
  type ImageConfig,
  parseImageConfig,
  parseReference,
  withDefaultTag,
} from "@hawser/oci";
import type { BuildJob, ReturnedResult } from "./build-job.ts";
import { protocolFaults } from "./faults.ts";
import type { FrontEnds } from "./front-ends.ts";
import { gatewayService } from "./gateway-service.ts";
import { LLBBridge } from "./generated/gateway_pb.ts";
import type { PassedResults } from "./passed-results.ts";
import type { SourceRequest } from "./plan-result.ts";
import type { Builder, BuilderTraits, BuildProcess, NamedResult } from "./ports.ts";
import type { StepTold } from "./progress.ts";

export interface FrontEndImageParts {
  readonly about: BuilderTraits;
  readonly frontEnds: FrontEnds;
  readonly passed: PassedResults;
  /** A front end that has no call open for so long is ended. */
  readonly idleMs: number;
}

export interface FrontEndImageRequest extends Omit<SourceRequest, "frontend"> {
  /** What it is called. */
  readonly source: string;
  /** Where it is. */
  readonly image: string;
  readonly signal: AbortSignal;
}

/** Between a front end's last word and its end. */
const graceMs = 10_000;
/** Calls of one front end at a time. */
const maxCalls = 64;
const maxMessageBytes = 16 << 20;
/** What of a connection is kept until a call takes it. */
const maxSessionMegabytes = 32;

/**
 * Run an image as a front end: a process whose standard input and output are a connection on which it calls the gateway (BuildKit's
 * frontend/gateway). What it may do is what any client's graph may do; it knows no results but its own.
 *
 * @throws {Fault} what it says has failed; `not-implemented` when it is asked for what it says it cannot
 */
export async function runFrontEndImage(
  job: BuildJob,
  request: FrontEndImageRequest,
  parts: FrontEndImageParts,
): Promise<ReturnedResult> {
  const { source, image, options, inputs, signal } = request;
  const { result, config } = await resolveFrontEnd(job, image);
  const { execution } = parseImageConfig(Buffer.from(config));
  checkCapabilities(execution.labels, request);
  await using child = job.child(inputs);
  await using container = await job.work.openContainer({
    inputs: [result],
    mounts: [],
    readOnlyRoot: false,
    network: /^(1|t|true)$/i.test(execution.labels["moby.buildkit.frontend.network.none"] ?? "")
      ? "none"
      : "default",
    hosts: [],
    hostname: "",
  });
  await job.progress.step(`[internal] run front end ${source}`, async (step) => {
    const process = await container.run({
      args: execution.entrypoint ?? ["/run"],
      env: [...execution.env, ...variablesOf(child, options, parts.about)],
      secretEnv: [],
      workingDir: execution.workingDir || "/",
      user: "",
      tty: false,
      privileged: false,
    });
    await using server = serveGateway(connectionOf(process, step), child, parts);
    const outcome = await Promise.race([
      process.exited,
      server.idle.then(() => "idle" as const),
      child.settled().then(() => lateAfter(graceMs)),
      server.broken.then(() => lateAfter(graceMs / 5)).then(() => "broken" as const),
      aborted(signal),
    ]);
    if (outcome === "idle") throw protocolFaults.FRONTEND_IDLE(source, Math.round(parts.idleMs / 1000));
    if (outcome === "late" || (outcome === "broken" && child.isSettled)) return;
    if (outcome === "broken") throw protocolFaults.FRONTEND_BROKEN(source);
    if (!child.isSettled) {
      if (outcome === 0) throw protocolFaults.FRONTEND_SILENT(source);
      throw protocolFaults.FRONTEND_ENDED(source, outcome);
    }
    if (outcome !== 0) {
      await child.outcome(signal); // what it said itself has failed
      throw protocolFaults.FRONTEND_ENDED(source, outcome);
    }
  });
  return await child.outcome(signal);
}

async function resolveFrontEnd(job: BuildJob, image: string): Promise<NamedResult> {
  let full: string;
  try {
    full = formatReference(withDefaultTag(parseReference(image)));
  } catch (error) {
    if (!Fault.is(error, "invalid-argument")) throw error;
    throw protocolFaults.FRONTEND_FAILED(`invalid context name ${image}: ${error.message}`).because(error);
  }
  try {
    return await job.progress.step(
      `resolve image config for docker-image://${full}`,
      async () => await job.work.planImage(image, { pull: false }),
    );
  } catch (error) {
    if (!Fault.is(error) || error.kind === "canceled") throw error;
    const words = `failed to resolve source metadata for ${full}: ${error.message}`;
    throw protocolFaults.FRONTEND_FAILED(words).because(error);
  }
}

async function lateAfter(ms: number): Promise<"late"> {
  const { promise, resolve } = Promise.withResolvers<"late">();
  setTimeout(resolve, ms, "late").unref();
  return await promise;
}

async function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  signal.throwIfAborted();
  return await promise;
}

/** @throws {Fault} `not-implemented` */
function checkCapabilities(
  labels: ImageConfig["execution"]["labels"],
  { options, inputs }: FrontEndImageRequest,
): void {
  const listed = (text = "") =>
    text.split(",").flatMap((name) => (name.trim() === "" ? [] : (name.split("+", 1)[0] ?? "")));
  const known = new Set(listed(labels["moby.buildkit.frontend.caps"]));
  const needed = listed(options["frontend.caps"]);
  if (Object.keys(inputs).length > 0) needed.push("moby.buildkit.frontend.inputs");
  for (const name of needed) if (!known.has(name)) throw protocolFaults.FRONTEND_LACKS(name);
}

/** What a front end is told at its start. */
function variablesOf(
  { session }: BuildJob,
  options: Readonly<Record<string, string>>,
  about: Builder["about"],
): readonly string[] {
  const { id, labels, platforms, version } = about;
  const worker = {
    id,
    labels,
    platforms: platforms.map(({ os, architecture, variant }) => ({
      os,
      architecture,
      ...(variant !== undefined && { variant }),
    })),
    buildkitVersion: { package: "hawser", version, revision: "" },
  };
  return [
    ...Object.entries(options).map(
      ([name, value], at) => `BUILDKIT_FRONTEND_OPT_${at}=${name}=${value.replaceAll("\0", "")}`,
    ),
    `BUILDKIT_SESSION_ID=${session}`,
    `BUILDKIT_WORKERS=${JSON.stringify([worker])}`,
    "BUILDKIT_EXPORTEDPRODUCT=hawser",
  ];
}

/** A process' standard input and output as a connection; what else it prints is told. */
function connectionOf(process: BuildProcess, step: StepTold): Duplex {
  process.input.on("error", () => {}); // it has ended, which is told by its exit code
  const pull = async (): Promise<Uint8Array | null> => {
    for (;;) {
      const { value, done } = await process.output.next();
      if (done === true || value === undefined) return null;
      if (value.stream === "stdout") return value.bytes;
      step.log("stderr", value.bytes);
    }
  };
  const connection = new Duplex({
    read() {
      pull().then(
        (bytes) => this.push(bytes),
        () => this.destroy(),
      );
    },
    write(bytes: Buffer, _encoding, done) {
      process.input.write(bytes, () => done());
    },
    final(done) {
      process.input.end(() => done());
    },
    destroy(error, done) {
      process.input.destroy();
      done(error);
    },
  });
  connection.on("error", () => {}); // likewise
  return connection;
}

/**
 * The gateway for one front end alone. `idle` settles when it has had no call open for too long, `broken` when its connection is
 * over.
 */
function serveGateway(
  connection: Duplex,
  job: BuildJob,
  parts: FrontEndImageParts,
): AsyncDisposable & { readonly idle: Promise<void>; readonly broken: Promise<void> } {
  const handler = connectNodeAdapter({
    connect: false,
    grpcWeb: false,
    readMaxBytes: maxMessageBytes,
    routes: (router) => router.service(LLBBridge, gatewayService({ ...parts, jobOf: async () => job })),
  });
  const server = createServer(
    { settings: { maxConcurrentStreams: maxCalls }, maxSessionMemory: maxSessionMegabytes },
    handler,
  );
  const { promise: idle, resolve } = Promise.withResolvers<void>();
  const wait = () => (isClosed ? undefined : setTimeout(resolve, parts.idleMs));
  let isClosed = false;
  let timer = wait();
  let calls = 0;
  server.on("stream", (stream) => {
    calls++;
    clearTimeout(timer);
    stream.once("close", () => {
      calls--;
      clearTimeout(timer);
      if (calls === 0) timer = wait();
    });
  });
  const { promise: broken, resolve: breakOff } = Promise.withResolvers<void>();
  server.on("sessionError", () => connection.destroy()); // what comes is no HTTP/2
  connection.on("close", breakOff);
  server.emit("connection", connection);
  return {
    idle,
    broken,
    async [Symbol.asyncDispose]() {
      isClosed = true;
      clearTimeout(timer);
      connection.destroy();
      server.close();
    },
  };
}
