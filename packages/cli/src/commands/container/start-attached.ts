import type { ContainerWaitResponse } from "@hawser/api";
import type { EngineClient, EngineStream } from "@hawser/api/client";
import { joinStreams } from "../../attached-streams.ts";
import { parseDetachKeys } from "../../detach-keys.ts";
import { cliFaults } from "../../faults.ts";
import type { Session } from "../../session.ts";
import { proxySignals } from "../../signal-proxy.ts";
import { cookedMode, followSize } from "../../terminal.ts";

export interface AttachedContainer {
  readonly session: Session;
  readonly client: EngineClient;
  /** Id or name. */
  readonly container: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** `--detach-keys`; empty: the user's setting, else Docker's default. */
  readonly detachKeys: string;
  readonly proxySignals: boolean;
}

export interface AttachedRun extends AttachedContainer {
  /** The container goes away when it has ended, so that is waited for. */
  readonly autoRemove: boolean;
  start(): Promise<void>;
}

/**
 * Attach, wait and start, in the order that loses neither output nor exit code: both connections stand before the container
 * starts. The result is the container's exit code; 0 after the detach keys.
 *
 * @throws {Fault} what `start` throws; `internal` when the engine tells that the container could not be waited for.
 */
export async function startAttached(run: AttachedRun): Promise<number> {
  const abort = new AbortController();
  const condition = run.autoRemove ? "removed" : "next-exit";
  const [stream, exited] = await Promise.all([
    openAttach(run, { signal: abort.signal }),
    openWait(run, { condition, signal: abort.signal }),
  ]);
  const exit = exited.read();
  exit.catch(() => {}); // read below, unless the container does not start
  using _signals = run.proxySignals ? proxySignals(run) : nothing;
  using raw = run.tty && run.stdin ? run.session.rawMode() : cookedMode;
  const joined = join(run, stream);
  joined.catch(() => {});
  try {
    await raw.settled;
    await run.start();
  } catch (error) {
    // with auto-removal, come back only when it is gone
    if (run.autoRemove) await exit.catch(() => {});
    abort.abort();
    throw error;
  }
  using _size = run.tty ? followSize(run.session, (size) => resizeContainer(run, size)) : nothing;
  if ((await joined) === "detached") {
    abort.abort();
    return 0;
  }
  return await exit;
}

/** Open a container's streams. */
export async function openAttach(
  target: AttachedContainer,
  options: { readonly signal?: AbortSignal; readonly logs?: boolean },
): Promise<EngineStream> {
  const keys = target.detachKeys || target.session.config().detachKeys;
  return await target.client.upgrade({
    method: "POST",
    path: `/containers/${encodeURIComponent(target.container)}/attach`,
    query: {
      stream: true,
      stdin: target.stdin || undefined,
      stdout: target.stdout || undefined,
      stderr: target.stderr || undefined,
      logs: options.logs === true ? true : undefined,
      detachKeys: keys || undefined,
    },
    ...(options.signal && { signal: options.signal }),
  });
}

/** Join a container's streams with the client's. */
export async function join(target: AttachedContainer, stream: EngineStream) {
  const keys = target.detachKeys || (target.session.config().detachKeys ?? "");
  return await joinStreams({
    socket: stream.socket,
    tty: target.tty,
    detachKeys: parseDetachKeys(keys),
    ...(target.stdin && { stdin: target.session.stdin }),
    ...(target.stdout && { stdout: target.session.stdout }),
    ...(target.stderr && { stderr: target.session.stderr }),
  });
}

/** The engine has begun to wait when this resolves; `read` gives the exit code. */
export async function openWait(
  target: { readonly client: EngineClient; readonly container: string },
  options: { readonly condition: string; readonly signal?: AbortSignal },
): Promise<{ read(): Promise<number> }> {
  const { body } = await target.client.send({
    method: "POST",
    path: `/containers/${encodeURIComponent(target.container)}/wait`,
    query: { condition: options.condition || undefined },
    ...(options.signal && { signal: options.signal }),
  });
  return {
    async read() {
      const chunks: Buffer[] = [];
      for await (const chunk of body) chunks.push(chunk);
      const reply = JSON.parse(Buffer.concat(chunks).toString()) as ContainerWaitResponse;
      if (reply.Error?.Message) throw cliFaults.STREAM_FAILED(reply.Error.Message);
      return reply.StatusCode;
    },
  };
}

export async function resizeContainer(
  target: { readonly client: EngineClient; readonly container: string },
  size: { readonly rows: number; readonly columns: number },
): Promise<void> {
  await target.client.command({
    method: "POST",
    path: `/containers/${encodeURIComponent(target.container)}/resize`,
    query: { h: size.rows, w: size.columns },
  });
}

const nothing: Disposable = { [Symbol.dispose]() {} };
