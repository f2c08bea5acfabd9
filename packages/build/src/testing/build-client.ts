import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Control } from "../grpc/generated/control_pb.ts";
import { LLBBridge } from "../grpc/generated/gateway_pb.ts";
import type { Definition } from "../grpc/generated/llb_pb.ts";

/** A client of BuildKit's, as far as tests need one: it has no session. */
export interface BuildClient {
  readonly control: Client<typeof Control>;
  readonly gateway: Client<typeof LLBBridge>;
  /** Build a graph. @returns what was told of it, step by step, and of the result */
  build(
    definition: Definition,
    more?: { readonly exporters?: readonly ExporterOfTest[]; readonly entitlements?: readonly string[] },
  ): Promise<BuildOutcome>;
  /**
   * Be the front end of a build.
   *
   * @param work gets what each call is made with; what it returns is given to the exporters
   */
  asFrontEnd(
    exporters: readonly ExporterOfTest[],
    work: (call: { readonly headers: Record<string, string> }) => Promise<FrontEndResult>,
  ): Promise<Readonly<Record<string, string>>>;
}

export interface ExporterOfTest {
  readonly type: string;
  readonly attrs: Record<string, string>;
}

export interface FrontEndResult {
  readonly ref: string;
  readonly config?: Uint8Array;
}

export interface BuildOutcome {
  readonly response: Readonly<Record<string, string>>;
  /** Each step's last word. */
  readonly steps: ReadonlyMap<
    string,
    { readonly name: string; readonly cached: boolean; readonly error: string }
  >;
  readonly output: string;
}

export function openBuildClient(socketPath: string): BuildClient {
  const transport = createGrpcTransport({
    baseUrl: "http://localhost",
    nodeOptions: { createConnection: () => connect(socketPath) },
  });
  const control = createClient(Control, transport);
  const gateway = createClient(LLBBridge, transport);
  const newRef = () => randomBytes(16).toString("hex");
  return {
    control,
    gateway,
    async build(definition, { exporters = [], entitlements = [] } = {}) {
      const ref = newRef();
      const solving = control.solve({
        ref,
        definition,
        exporters: [...exporters],
        entitlements: [...entitlements],
      });
      solving.catch(() => {}); // told below
      const steps = new Map<string, { name: string; cached: boolean; error: string }>();
      const output: string[] = [];
      for await (const { vertexes, logs } of control.status({ ref })) {
        for (const { digest, name, cached, error } of vertexes) steps.set(digest, { name, cached, error });
        output.push(...logs.map(({ msg }) => Buffer.from(msg).toString()));
      }
      const { exporterResponse } = await solving;
      return { response: exporterResponse, steps, output: output.join("") };
    },
    async asFrontEnd(exporters, work) {
      const ref = newRef();
      const headers = { "buildkit-controlapi-buildid": ref };
      const solving = control.solve({ ref, exporters: [...exporters] });
      solving.catch(() => {}); // told below
      try {
        const { ref: id, config } = await work({ headers });
        const metadata = { ...(config && { "containerimage.config": config }) };
        await gateway.return({ result: { result: { case: "ref", value: { id } }, metadata } }, { headers });
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        await gateway.return({ error: { code: 2, message } }, { headers });
        throw error;
      }
      return (await solving).exporterResponse;
    },
  };
}
