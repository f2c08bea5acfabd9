import { connect, createServer, type Socket } from "node:net";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { LLBBridge } from "../grpc/generated/gateway_pb.ts";

/** What a program that is a front end has been given by the builder that runs it. */
export interface FrontEndOfTest {
  readonly gateway: Client<typeof LLBBridge>;
  readonly options: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface ProcessOfTest {
  readonly pid: number;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The other end of this process' standard input and output. */
export function openFrontEnd(process: ProcessOfTest): FrontEndOfTest {
  const { env } = process;
  const transport = createGrpcTransport({
    baseUrl: "http://localhost",
    nodeOptions: { createConnection: () => connectionOf(process), maxSessionMemory: 100 },
  });
  const options = Object.entries(env).flatMap(([name, value = ""]) => {
    const at = value.indexOf("=");
    return name.startsWith("BUILDKIT_FRONTEND_OPT_")
      ? [[value.slice(0, at), value.slice(at + 1)] as const]
      : [];
  });
  return {
    gateway: createClient(LLBBridge, transport),
    options: Object.fromEntries(options),
    environment: env,
  };
}

/** As a socket of the kernel's: with streams of JavaScript's Node's HTTP/2 client loses the ends of answers now and then. */
function connectionOf({ pid, stdin, stdout }: ProcessOfTest): Socket {
  const path = `\0hawser-front-end-${pid}`;
  const server = createServer((socket) => {
    socket.pipe(stdout);
    stdin.pipe(socket);
    server.close();
  }).listen(path);
  return connect(path);
}
