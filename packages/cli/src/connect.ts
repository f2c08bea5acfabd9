import { EngineClient } from "@hawser/api/client";
import { errnoOf, Fault } from "@hawser/base";
import type { Context } from "./context.ts";
import { cliFaults } from "./faults.ts";
import type { Environment } from "./options/environment-option.ts";

export interface ConnectOptions {
  readonly context: Context;
  readonly headers: Readonly<Record<string, string>>;
  readonly environment: Environment;
  readonly warn: (message: string) => void;
  /** Whether an engine may be started; default: yes. */
  readonly mayStart?: boolean;
  /** Sees the client before it first speaks to the engine. */
  readonly onClient?: (client: EngineClient) => void;
}

/**
 * A client that has agreed on a version with the engine. Where none runs on this machine and the user may, it is started
 * first (`startEngine`); never when the user chose the address.
 *
 * @throws {Fault} `unavailable` or `permission-denied`, naming the cause and the command that helps.
 */
export async function connectEngine(options: ConnectOptions): Promise<EngineClient> {
  const { context } = options;
  const client = new EngineClient({ endpoint: context.endpoint, headers: options.headers });
  options.onClient?.(client);
  try {
    await client.ping();
    return client;
  } catch (error) {
    if (!Fault.is(error) || error.code !== "ENGINE_UNREACHABLE") throw error;
    const errno = errnoOf(error.cause);
    const absent = errno === "ENOENT" || errno === "ECONNREFUSED";
    const command = engineCommand(options.environment);
    if (
      context.chosen ||
      options.mayStart === false ||
      !absent ||
      command === undefined ||
      context.endpoint.kind !== "unix" ||
      process.geteuid?.() !== 0
    ) {
      throw explain(context, error.cause).because(error);
    }
    const { startEngine } = await import("./start-engine.ts");
    await startEngine({ command, socket: context.endpoint.path, client, warn: options.warn });
    return client;
  }
}

/** The launcher script tells how to start an engine, as a JSON array. */
function engineCommand(environment: Environment): readonly [string, ...string[]] | undefined {
  const text = environment["HAWSER_ENGINE_COMMAND"];
  if (text === undefined || text === "") return undefined;
  try {
    const [program, ...args] = JSON.parse(text) as unknown[];
    if (typeof program !== "string" || !args.every((arg) => typeof arg === "string")) return undefined;
    return [program, ...args];
  } catch {
    return undefined;
  }
}

/** What is in the way and what to do about it. Docker's own first words stay, since programs look for them. */
function explain(context: Context, cause: unknown): Fault {
  const errno = errnoOf(cause);
  const { endpoint } = context;
  const where = endpoint.text;
  const cannot = `Cannot connect to the Hawser engine at ${where}`;
  const wayBack = context.chosen ? "; unset DOCKER_HOST (or drop -H) to use this machine's engine" : "";
  const isRoot = process.geteuid?.() === 0;
  const start = isRoot ? "start it with: hawserd" : "start it with: sudo hawserd";
  switch (errno) {
    case "EACCES":
    case "EPERM":
      return cliFaults.ENGINE_FORBIDDEN(
        `${cannot}: permission denied; its socket belongs to others: run the command again with sudo`,
      );
    case "ENOENT":
      return cliFaults.ENGINE_ABSENT(
        `${cannot}. Is the Hawser engine running? There is no such socket: ${context.chosen ? `check the address${wayBack}` : start}`,
      );
    case "ECONNREFUSED":
      return cliFaults.ENGINE_ABSENT(
        endpoint.kind === "unix"
          ? `${cannot}. Is the Hawser engine running? The socket is a stale one, nobody listens: ${context.chosen ? `start that engine again${wayBack}` : start}`
          : `${cannot}. Is the Hawser engine running? Nobody listens there: check host and port${wayBack}`,
      );
    case "ENOTSOCK":
      return cliFaults.ENGINE_ABSENT(`${cannot}: that is not a socket; check the address${wayBack}`);
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return cliFaults.ENGINE_ABSENT(`${cannot}: no such host; check the address${wayBack}`);
    case undefined:
      return cliFaults.ENGINE_ABSENT(`${cannot}. Is the Hawser engine running?`);
    default:
      if (endpoint.kind === "tcp" && endpoint.tls !== undefined && !/^E[A-Z]{3,}$/.test(errno ?? "")) {
        const why = cause instanceof Error ? cause.message : errno;
        return cliFaults.ENGINE_ABSENT(`${cannot} with TLS: ${why}; check its certificate and --tlscacert`);
      }
      return cliFaults.ENGINE_ABSENT(`${cannot}: ${errno}; check the address${wayBack}`);
  }
}
