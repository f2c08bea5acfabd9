import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { TLSSocket } from "node:tls";
import { encodeFrame } from "@hawser/api";
import { Fault } from "@hawser/base";
import { isUnread, releaseSocket } from "@hawser/linux";
import { closeGently } from "./close-gently.ts";
import { describeFault } from "./fault-response.ts";
import { httpFaults } from "./faults.ts";
import { relayTo } from "./relay.ts";
import type { ApiRequest } from "./request.ts";
import { type ApiResponse, formatHead, formatStatusLine } from "./response.ts";

export const rawStreamType = "application/vnd.docker.raw-stream";
export const multiplexedStreamType = "application/vnd.docker.multiplexed-stream";

/**
 * A client's connection, taken from HTTP: after `accept` nothing but a container's streams goes over it. Exactly one of
 * `handTo`, `end`, `fail` ends the engine's part in it; or the caller uses `socket` as it likes and closes it.
 */
export interface HijackedConnection {
  /**
   * The raw socket, paused, with every byte that came after the request still in it. The client may have half-closed it
   * already (`socket.readableEnded`); it stays open for writing then.
   */
  readonly socket: Socket;
  /** The client asked with `Upgrade` and gets 101; without it, 200. */
  readonly upgraded: boolean;
  /**
   * Tell the client that the stream begins. Then it may be written to.
   *
   * @param options.multiplexed output is framed, since there is no terminal. Only clients from API 1.42 on that upgrade
   *   are told so; the others know from inspect.
   * @param options.protocol what the connection speaks instead, for clients that asked for it with `Upgrade`.
   */
  accept(options: { readonly multiplexed: boolean } | { readonly protocol: "h2c" }): Promise<void>;
  /** Refuse, before `accept`, with an ordinary answer; then close. After `accept` as `end`, with the reason. */
  fail(thrown: unknown): void;
  /**
   * Hand the connection to another process: `take` gets its descriptor and the bytes that were read too far, then our copy
   * of it is closed, without the client noticing. When `take` fails the connection is ours again, for `end` or `fail` to
   * say why; `socket` is closed in either case. What is encrypted cannot be handed over: the engine relays it, for as long as
   * it lives.
   *
   * @throws {Fault} `unavailable` when the client has gone; what `take` throws.
   */
  handTo(
    take: (client: { readonly fd: number; readonly unread: Uint8Array }) => Promise<void>,
  ): Promise<void>;
  /** End the stream, with a last word of the engine, on its stdout, if there is one. */
  end(lastWord?: string): void;
}

/**
 * Take the connection of a request over. The rest of its body is dropped, so what comes next on the socket is the
 * stream's. Only for routes with `hijacks`. A chunked body that has not been read is not a body here: its bytes are the
 * stream's, as with dockerd.
 *
 * @throws {Fault} `canceled` when the client left before its body was complete, `invalid-argument` for a body that is
 *   absurdly large.
 */
export async function hijack(request: ApiRequest, response: ApiResponse): Promise<HijackedConnection> {
  const isCounted = request.body.remainingBytes !== undefined;
  if (isCounted && !(await request.body.drain(maxDroppedBytes)))
    throw httpFaults.BODY_TOO_LARGE(maxDroppedBytes);
  const taken = response.take();
  const { socket } = taken;
  /** The connection as we have it: another object after a `handTo` that failed. */
  let current = socket;
  const headers = new Map(taken.headers);
  const upgraded = request.header("upgrade") !== undefined;
  let accepted: { readonly multiplexed: boolean } | undefined;
  const end = (lastWord?: string) => {
    if (lastWord !== undefined && current.writable) {
      const bytes = Buffer.from(lastWord);
      current.write(accepted?.multiplexed === true ? encodeFrame("stdout", bytes) : bytes);
    }
    closeGently(current);
  };
  return {
    socket,
    upgraded,
    accept: async (options) => {
      const multiplexed = "multiplexed" in options && options.multiplexed;
      accepted = { multiplexed };
      const framed = multiplexed && upgraded && request.atLeast("1.42");
      if (!("protocol" in options)) {
        headers.set("Content-Type", framed ? multiplexedStreamType : rawStreamType);
      }
      if (upgraded) {
        headers.set("Connection", "Upgrade");
        headers.set("Upgrade", "protocol" in options ? options.protocol : "tcp");
      }
      if (socket.writable)
        socket.write(formatHead(upgraded ? "HTTP/1.1 101 UPGRADED" : "HTTP/1.1 200 OK", headers));
      if (losesWhatFollows.test(request.header("user-agent") ?? "")) await headIsRead(socket);
    },
    fail: (thrown) => {
      const { status, message } = describeFault(Fault.from(thrown));
      if (accepted !== undefined) return end(`${message}\r\n`);
      if (current.writable) {
        const body = `${JSON.stringify({ message })}\n`;
        headers.set("Content-Type", "application/json");
        headers.set("Content-Length", String(Buffer.byteLength(body)));
        headers.set("Connection", "close");
        current.write(Buffer.concat([formatHead(formatStatusLine(status), headers), Buffer.from(body)]));
      }
      end();
    },
    handTo: async (take) => {
      if (socket instanceof TLSSocket)
        return await relayTo(socket, { take, close: () => closeGently(socket) });
      const { fd, unread } = await releaseSocket(socket);
      try {
        await take({ fd, unread });
      } catch (error) {
        current = new Socket({ fd, allowHalfOpen: true });
        throw error;
      }
      closeSync(fd);
    },
    end,
  };
}

const maxDroppedBytes = 1 << 20;

/**
 * docker-py, and Compose 1 which is made with it, take the socket from below Python's reader: what that has read together with the
 * head is lost. With dockerd nothing is there so soon.
 */
const losesWhatFollows = /^(docker-sdk-python|docker-py|docker-compose\/1\.)/;

const headPatienceMs = 2000;

/** Wait until the head was read. Over TCP nobody knows. */
async function headIsRead(socket: Socket): Promise<void> {
  if (socket.remoteFamily !== undefined) return;
  const end = performance.now() + headPatienceMs;
  while (!socket.destroyed && isUnread(socket) && performance.now() < end) await delay(1);
}
