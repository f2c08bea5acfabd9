import { randomBytes } from "node:crypto";
import { createServer } from "node:http2";
import type { Duplex } from "node:stream";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { Logger } from "@hawser/base";
import type { Platform } from "@hawser/oci";
import { type BuildFailure, describeFailure } from "./build-failure.ts";
import { BuildHistory } from "./build-history.ts";
import { BuildJobs } from "./build-job.ts";
import { contentService } from "./content-service.ts";
import { controlService } from "./control-service.ts";
import { FrontEnds } from "./front-ends.ts";
import { type GatewayParts, gatewayService } from "./gateway-service.ts";
import { Content } from "./generated/content_pb.ts";
import { Control, SolveRequestSchema, StatusResponseSchema } from "./generated/control_pb.ts";
import { LLBBridge } from "./generated/gateway_pb.ts";
import { TraceService } from "./generated/trace_pb.ts";
import { PassedResults } from "./passed-results.ts";
import type { Builder, ExporterRequest } from "./ports.ts";
import { type RawStatus, rawStatus } from "./raw-status.ts";
import { Sessions } from "./sessions.ts";
import { solveRequest } from "./solve-request.ts";

/** BuildKit's services on connections that are at hand. */
export interface BuildServices extends AsyncDisposable {
  /** Serve calls on a connection that speaks HTTP/2 from here on. */
  serve(socket: Duplex): void;
  /** @see Sessions.serve */
  readonly sessions: Sessions;
  /**
   * A build of a Dockerfile that was not asked for over gRPC, but is told of in its messages.
   *
   * @returns what is told of the result, by BuildKit's names
   * @throws {Fault} what the source and its processes make of it
   */
  build(request: BuildOfDockerfile): Promise<Readonly<Record<string, string>>>;
  /** What made a build fail, and where. */
  explain(thrown: unknown): BuildFailure;
}

export interface BuildOfDockerfile {
  /** Of the client's session; empty: it has none. */
  readonly session: string;
  /** The files, when the client has sent them with its request. */
  readonly archive?: AsyncIterable<Uint8Array>;
  /** Of the front end `dockerfile.v0`. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly exporters: readonly Omit<ExporterRequest, "id">[];
  /** What is brought out of the kept results, in the terms of BuildKit's `CacheOptions`. */
  readonly cacheExports?: readonly Omit<ExporterRequest, "id">[];
  readonly entitlements?: readonly string[];
  /** Begins the work, where that is not `Builder.open`. */
  readonly open?: Builder["open"];
  readonly signal: AbortSignal;
  /** Gets each `moby.buildkit.v1.StatusResponse`. */
  readonly onStatus: (status: ToldStatus) => Promise<void>;
}

/** A piece of what a build tells, in the form that is wanted. */
export interface ToldStatus {
  readonly protobuf: () => Uint8Array;
  /** As buildx' `--progress rawjson` writes it. */
  readonly json: () => RawStatus;
}

export function createBuildServices(
  builder: Builder,
  options: {
    readonly host: Platform;
    readonly now: () => number;
    readonly log: Logger;
    /** A front end that has no call open for so long is ended; absent: five minutes. */
    readonly idleFrontEndMs?: number;
  },
): BuildServices {
  const { host, now, log, idleFrontEndMs = 300_000 } = options;
  const sessions = new Sessions({ log });
  const jobs = new BuildJobs();
  const passed = new PassedResults();
  const { about } = builder;
  const frontEnds = new FrontEnds({ about, passed, host, idleMs: idleFrontEndMs });
  const parts = { jobs, sessions, history: new BuildHistory({ now }), passed, frontEnds, host, now };
  const jobOf: GatewayParts["jobOf"] = ({ requestHeader, signal }) =>
    jobs.job(requestHeader.get("buildkit-controlapi-buildid") ?? "", signal);
  const handler = connectNodeAdapter({
    connect: false,
    grpcWeb: false,
    readMaxBytes: maxMessageBytes,
    fallback: refuse,
    routes(router) {
      router.service(Control, controlService(builder, parts));
      router.service(LLBBridge, gatewayService({ about, frontEnds, passed, jobOf }));
      router.service(Content, contentService(parts.history));
      router.service(TraceService, { export: () => ({}) });
    },
  });
  const server = createServer(handler);
  server.on("sessionError", (error) => log.debug("HTTP/2 session failed", { error }));
  return {
    serve: (socket) => server.emit("connection", socket),
    sessions,
    explain: describeFailure,
    async build({ session, archive, attributes, exporters, signal, onStatus, ...more }) {
      const ref = randomBytes(16).toString("hex");
      const request = create(SolveRequestSchema, {
        ref,
        session,
        frontend: "dockerfile.v0",
        frontendAttrs: { ...attributes },
        exporters: exporters.map(entryOf),
        cache: { exports: more.cacheExports?.map(entryOf) ?? [] },
        entitlements: [...(more.entitlements ?? [])],
      });
      const asked = more.open === undefined ? builder : { ...builder, open: more.open };
      const solved = solveRequest(asked, request, { ...parts, signal, ...(archive && { archive }) });
      solved.catch(() => {}); // told below
      const progress = await jobs.progress(ref, signal);
      for await (const status of progress.follow(signal)) {
        const protobuf = () => toBinary(StatusResponseSchema, status);
        await onStatus({ protobuf, json: () => rawStatus(status) });
      }
      return await solved;
    },
    async [Symbol.asyncDispose]() {
      sessions[Symbol.dispose]();
      server.close();
    },
  };
}

function entryOf({ type, attributes }: Omit<ExporterRequest, "id">) {
  return { type, attrs: { ...attributes } };
}

/** What is none of the services: a call is told so in gRPC's way, anything else in the API's. */
const refuse: NonNullable<Parameters<typeof connectNodeAdapter>[0]["fallback"]> = (request, response) => {
  request.resume();
  if (String(request.headers["content-type"] ?? "").startsWith("application/grpc")) {
    const message = encodeURIComponent(`no service is at ${request.url}`);
    response.writeHead(200, {
      "content-type": "application/grpc",
      "grpc-status": String(Code.Unimplemented),
      "grpc-message": message,
    });
    response.end();
    return;
  }
  response.writeHead(501, { "content-type": "application/json" });
  response.end('{"message":"the Engine API is served over HTTP/1.1 only"}\n');
};

const maxMessageBytes = 16 << 20;
