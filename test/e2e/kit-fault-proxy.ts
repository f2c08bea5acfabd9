import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What becomes of one exchange. */
export interface ProxyFault {
  /**
   * `cut`, `reset`: the connection ends, politely or not, in the middle of the answer; `corrupt`: one byte of the answer is another;
   * `before`, `upload`, `after`: `act` runs before the server sees the request, when it has half of its body, or when it has answered
   * and the client does not know yet, and the client's connection breaks; `late`, `held`: `act` runs before the server sees the request,
   * or when it has answered, and nothing is wrong then; `stall`: nothing comes any more in the middle of the answer; `silent`: nor of
   * the answer at all.
   */
  readonly kind:
    | "cut"
    | "reset"
    | "corrupt"
    | "before"
    | "upload"
    | "after"
    | "late"
    | "held"
    | "stall"
    | "silent";
  readonly act?: () => Promise<void>;
}

/** A proxy in front of a registry that does wrong when told to. */
export interface FaultProxy extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly host: string;
  /** Where requests go; may change. */
  target: string;
  /** Asked for each request; `undefined`: nothing is wrong with it. */
  fault: ((request: IncomingMessage) => ProxyFault | undefined) | undefined;
  /** `GET /v2/…` of all requests so far. */
  readonly seen: string[];
}

export async function openFaultProxy(target: string): Promise<FaultProxy> {
  const seen: string[] = [];
  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    const fault = proxy.fault?.(incoming);
    const fail = () => {
      // A reset of a socket that is shutting down leaves its handle behind, and the process never ends (seen with Node 24.21).
      const { socket } = outgoing;
      if (socket?.writable === true) socket.resetAndDestroy();
      else socket?.destroy();
    };
    const failAfter = () => void (fault?.act?.() ?? Promise.resolve()).then(fail, fail);
    if (fault?.kind === "before") return failAfter();
    if (fault?.kind === "late") await fault.act?.();
    const length = Number(incoming.headers["content-length"] ?? 0);
    const giveAnswer = async (answer: IncomingMessage) => {
      if (fault?.kind === "after") {
        answer.resume();
        answer.on("end", failAfter);
        return;
      }
      if (fault?.kind === "silent") return void answer.resume();
      if (fault?.kind === "held") await fault.act?.();
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      const middle = Number(answer.headers["content-length"] ?? 0) >> 1;
      let position = 0;
      answer.on("data", (chunk: Buffer) => {
        const at = middle - position;
        position += chunk.length;
        const isMiddle = at >= 0 && at < chunk.length;
        if (isMiddle && fault?.kind === "corrupt") chunk[at] = (chunk[at] ?? 0) ^ 0xff;
        if (isMiddle && fault?.kind === "stall") {
          answer.pause();
          outgoing.write(chunk.subarray(0, at));
          return;
        }
        if (isMiddle && (fault?.kind === "cut" || fault?.kind === "reset")) {
          answer.destroy();
          outgoing.write(chunk.subarray(0, at), () => {
            if (fault.kind === "cut") outgoing.socket?.end();
            else fail();
          });
          return;
        }
        if (!outgoing.write(chunk)) {
          answer.pause();
          outgoing.once("drain", () => answer.resume());
        }
      });
      answer.on("end", () => outgoing.end());
      answer.on("error", () => outgoing.destroy());
    };
    const sent = httpRequest(
      `${proxy.target}${incoming.url}`,
      { method: incoming.method, headers: incoming.headers, agent: false },
      (answer) => void giveAnswer(answer),
    );
    sent.on("error", fail);
    outgoing.on("close", () => sent.destroy());
    let position = 0;
    incoming.on("data", (chunk: Buffer) => {
      position += chunk.length;
      if (fault?.kind === "upload" && position >= length / 2) {
        incoming.pause();
        sent.write(chunk.subarray(0, chunk.length >> 1), failAfter);
        return;
      }
      if (!sent.write(chunk)) {
        incoming.pause();
        sent.once("drain", () => incoming.resume());
      }
    });
    incoming.on("end", () => sent.end());
  };
  const server = createServer((incoming, outgoing) => void serve(incoming, outgoing));
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const proxy: FaultProxy = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    target,
    fault: undefined,
    seen,
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
  return proxy;
}
