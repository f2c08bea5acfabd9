import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { openTempDir } from "@hawser/base/testing";
import { formatImageConfig } from "@hawser/oci";
import { llbDefinition, llbFile, llbUnset } from "../testing/llb.ts";
import { BuildJob, type ReturnedResult } from "./build-job.ts";
import { FrontEnds } from "./front-ends.ts";
import { LLBBridge } from "./generated/gateway_pb.ts";
import { PassedResults } from "./passed-results.ts";
import type { BuildProcess, BuildWork, PlannedResult, ProcessRequest } from "./ports.ts";
import { BuildProgress } from "./progress.ts";

const host = { os: "linux", architecture: "amd64" };
const about = { id: "b", version: "1", labels: {}, platforms: [host] };

/** A front end as a function: it is given its process and its end of the connection; what it returns is its exit code. */
type Program = (socket: Socket, process: ProcessRequest) => Promise<number>;

/** Two ends of a connection of the kernel's. */
async function openPair() {
  const dir = await openTempDir();
  const path = join(dir.path, "s");
  const server = createServer({ allowHalfOpen: true }).listen(path);
  await once(server, "listening");
  const near = connect({ path, allowHalfOpen: true });
  const [far] = (await once(server, "connection")) as [Socket];
  server.close();
  await dir[Symbol.asyncDispose]();
  near.on("error", () => {});
  far.on("error", () => {});
  return { near, far };
}

async function* outputOf(socket: Socket): BuildProcess["output"] {
  for await (const bytes of socket as AsyncIterable<Buffer>) yield { stream: "stdout", bytes };
}

/** A build in which images are programs. */
function openJob(programs: Readonly<Record<string, Program>>, text = "") {
  const unused = async () => {
    throw new Error("no front end of these tests asks for this");
  };
  const ended: string[] = [];
  const results = new WeakMap<PlannedResult, string>();
  const work: BuildWork = {
    planDockerfile: async ({ platform }) => ({
      config: Buffer.from(JSON.stringify(platform?.architecture ?? {})),
    }),
    planDefinition: async (definition) => ({ config: undefined, definition }),
    readDockerfile: async ({ filename }) => ({ filename, text }),
    checkExporter: () => {},
    provenance: () => ({ predicateType: "", predicate: {} }),
    exportCache: async () => ({}),
    evaluate: async () => {},
    export: unused,
    exportPlatforms: unused,
    readFile: unused,
    lookAtFiles: unused,
    async planImage(reference) {
      const result = { config: undefined };
      results.set(result, reference);
      const execution = {
        user: "",
        exposedPorts: [],
        env: ["IMAGE=1"],
        entrypoint: ["/program"],
        volumes: [],
        workingDir: "/in",
        labels: { "moby.buildkit.frontend.caps": "one,two+forward" },
        stopSignal: "",
      };
      return { result, config: formatImageConfig({ ...host, execution, diffIds: [], history: [] }) };
    },
    async openContainer({ inputs: [root] }) {
      const name = (root && results.get(root)) ?? "";
      return {
        async run(process) {
          const { near, far } = await openPair();
          const exited = (programs[name] ?? unused)(far, process).finally(() => far.end());
          return { input: near, output: outputOf(near), exited, resize: unused, kill: unused };
        },
        async [Symbol.asyncDispose]() {
          ended.push(name);
        },
      };
    },
    async [Symbol.asyncDispose]() {},
  };
  const progress = new BuildProgress({ now: () => 0 });
  return { job: new BuildJob({ id: "build", progress, work, session: "s" }), ended, progress };
}

const openFrontEnds = (idleMs = 30_000) =>
  new FrontEnds({ about, passed: new PassedResults(), host, idleMs });

/** What a front end of BuildKit's has. */
function gatewayOf(socket: Socket): Client<typeof LLBBridge> {
  const nodeOptions = { createConnection: () => socket, maxSessionMemory: 100 };
  return createClient(LLBBridge, createGrpcTransport({ baseUrl: "http://localhost", nodeOptions }));
}

async function run(
  programs: Readonly<Record<string, Program>>,
  {
    options = {},
    text = "# syntax=its/own words\n",
    idleMs,
  }: { readonly options?: Record<string, string>; readonly text?: string; readonly idleMs?: number } = {},
) {
  const { job, ...more } = openJob(programs, text);
  const request = { frontend: "dockerfile.v0", options, inputs: {} };
  const result = await openFrontEnds(idleMs).solve(job, request, AbortSignal.timeout(20_000));
  return { result, ...more };
}

const file = (data: Uint8Array) =>
  llbDefinition(llbFile([], { case: "mkfile", value: { path: "/f", mode: 0o600, data, ...llbUnset } }));
const hand = async (gateway: Client<typeof LLBBridge>, id: string) =>
  await gateway.return({ result: { result: { case: "ref", value: { id } }, metadata: {} } });
const array = { allowResultReturn: true, allowResultArrayRef: true } as const;

describe("FrontEnds", () => {
  test("a source's image is told all that BuildKit tells, and what it hands back is the result", async () => {
    let told: ProcessRequest | undefined;
    const { result, ended } = await run(
      {
        "its/own": async (socket, process) => {
          told = process;
          const gateway = gatewayOf(socket);
          const { llbCaps } = await gateway.ping({});
          assert.ok(llbCaps.length > 40);
          const solved = await gateway.solve({ definition: file(Buffer.from("x")), ...array });
          assert.ok(solved.result?.result.case === "ref");
          await hand(gateway, solved.result.result.value.id);
          return 0;
        },
      },
      { options: { "frontend.caps": "two", a: "b=c" } },
    );
    assert.equal(result.result?.definition?.def.length, 2);
    assert.deepEqual(ended, ["its/own"]);
    assert.deepEqual(
      [told?.args, told?.workingDir, told?.privileged, told?.env.slice(0, 6)],
      [
        ["/program"],
        "/in",
        false,
        [
          "IMAGE=1",
          "BUILDKIT_FRONTEND_OPT_0=frontend.caps=two",
          "BUILDKIT_FRONTEND_OPT_1=a=b=c",
          "BUILDKIT_FRONTEND_OPT_2=cmdline=its/own words",
          "BUILDKIT_FRONTEND_OPT_3=source=its/own",
          "BUILDKIT_SESSION_ID=s",
        ],
      ],
    );
  });

  test("a front end asks another one, but not for ever; Docker's own names are this builder's", async () => {
    const asks =
      (frontendOpt: Record<string, string>, frontend = "gateway.v0"): Program =>
      async (socket) => {
        const gateway = gatewayOf(socket);
        try {
          const { result } = await gateway.solve({ frontend, frontendOpt, ...array });
          assert.ok(result?.result.case === "ref");
          await hand(gateway, result.result.value.id);
          return 0;
        } catch (error) {
          await gateway.return({ error: { code: 2, message: String(error) } });
          return 1;
        }
      };
    const { result } = await run({
      "its/own": asks({ source: "another" }),
      another: asks({ cmdline: "another" }, "dockerfile.v0"),
    });
    assert.equal(Buffer.from(result.result?.config ?? []).toString(), "{}");
    await assert.rejects(run({ "its/own": asks({ source: "its/own" }) }), /more than 8 deep/);
    const own = await run({}, { text: "# syntax=docker.io/docker/dockerfile:1.7-labs\n" });
    assert.equal(Buffer.from(own.result.result?.config ?? []).toString(), "{}");
    const given = { "build-arg:BUILDKIT_SYNTAX": "docker/dockerfile-upstream:master" };
    await run({}, { options: given });
  });

  test("a Dockerfile for several machines gives a result for each, in their order", async () => {
    const { result } = await run({}, { text: "FROM x\n", options: { platform: "linux/arm64,linux/amd64" } });
    const read = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();
    assert.deepEqual(
      [...(result.platforms ?? [])].map(([name, { config }]) => [name, read(config)]),
      [
        ["linux/arm64", '"arm64"'],
        ["linux/amd64", '"amd64"'],
      ],
    );
    assert.equal(read(result.metadata["containerimage.config/linux/amd64"]), '"amd64"');
    assert.deepEqual(JSON.parse(read(result.metadata["refs.platforms"])), {
      Platforms: [
        { ID: "linux/arm64", Platform: { os: "linux", architecture: "arm64" } },
        { ID: "linux/amd64", Platform: { os: "linux", architecture: "amd64" } },
      ],
    });
    const single = await run({}, { text: "FROM x\n", options: { "multi-platform": "true" } });
    assert.deepEqual([...(single.result.platforms?.keys() ?? [])], ["linux/amd64"]);
  });

  test("what an image says it cannot is not asked of it", async () => {
    const options = { "frontend.caps": "two,three" };
    await assert.rejects(run({}, { options }), /unsupported frontend capability three/);
  });

  test("one that ends without a result, or with another exit code than 0, has failed", async () => {
    await assert.rejects(run({ "its/own": async () => 0 }), /ended without a result/);
    await assert.rejects(run({ "its/own": async () => 7 }), /exit code: 7/);
    const late: Program = async (socket) => {
      await gatewayOf(socket).return({});
      return 3;
    };
    await assert.rejects(run({ "its/own": late }), /exit code: 3/);
    const says: Program = async (socket) => {
      const details = [{ typeUrl: "type.googleapis.com/x.Y", value: Buffer.from("z") }];
      await gatewayOf(socket).return({ error: { code: 9, message: "its words", details } });
      return 1;
    };
    await assert.rejects(run({ "its/own": says }), {
      rawMessage: "its words",
      code: 9,
      details: [{ type: "x.Y", value: new Uint8Array(Buffer.from("z")) }],
    });
  });

  test("results of others are nobody's to give", async () => {
    let other = "";
    const makes: Program = async (socket) => {
      const gateway = gatewayOf(socket);
      const { result } = await gateway.solve({ definition: file(Buffer.from("x")), ...array });
      assert.ok(result?.result.case === "ref");
      other = result.result.value.id;
      await hand(gateway, other);
      return 0;
    };
    await run({ "its/own": makes });
    const takes: Program = async (socket) => {
      const gateway = gatewayOf(socket);
      await assert.rejects(gateway.evaluate({ ref: other }), /no such result/);
      await hand(gateway, other).catch(() => {});
      return 0;
    };
    await assert.rejects(run({ "its/own": takes }), /no such result/);
  });

  test("one that is silent, floods, or sends what is too large is ended", async () => {
    const never = new Promise<number>(() => {});
    await assert.rejects(run({ "its/own": () => never }, { idleMs: 50 }), /asked for nothing/);
    const floods: Program = async (socket) => {
      while (!socket.destroyed) {
        if (!socket.write(Buffer.alloc(1 << 20, "x")))
          await Promise.race([once(socket, "drain"), once(socket, "close")]).catch(() => {});
      }
      return await never;
    };
    await assert.rejects(run({ "its/own": floods }), /broken its connection/);
    const huge: Program = async (socket) => {
      const gateway = gatewayOf(socket);
      await assert.rejects(gateway.solve({ definition: file(Buffer.alloc(20 << 20)) }), /resource_exhausted/);
      await gateway.return({ error: { code: 8, message: "it was too much" } });
      return 1;
    };
    await assert.rejects(run({ "its/own": huge }), /it was too much/);
  });

  test("more than a front end may have is refused", async () => {
    const { job } = openJob({});
    for (let at = 0; at < 10_000; at++) job.add({ config: undefined });
    assert.throws(() => job.add({ config: undefined }), /more than 10000 results/);
    const graphs = openJob({}).job;
    const definition = file(Buffer.alloc(16 << 20));
    const add = () => graphs.add({ config: undefined, definition });
    for (let at = 0; at < 15; at++) add();
    assert.throws(add, /bytes of graphs/);
  });

  test("a build that is over ends its front end", async () => {
    const stop = new AbortController();
    const hang = () => {
      setImmediate(() => stop.abort(new Error("the client is gone")));
      return new Promise<number>(() => {});
    };
    const { job, ended } = openJob({ "its/own": hang }, "# syntax=its/own\n");
    const solved: Promise<ReturnedResult> = openFrontEnds().solve(
      job,
      { frontend: "dockerfile.v0", options: {}, inputs: {} },
      stop.signal,
    );
    await assert.rejects(solved, /the client is gone/);
    assert.deepEqual(ended, ["its/own"]);
  });
});
