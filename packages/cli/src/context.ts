import { type ClientTls, type Endpoint, parseEndpoint } from "@hawser/api/client";
import { Fault } from "@hawser/base";
import { type TlsFlags, tlsOfFlags } from "./client-tls.ts";
import type { ConfigFile } from "./config-file.ts";
import { ContextStore, type StoredContext } from "./contexts/context-store.ts";
import { cliFaults } from "./faults.ts";
import type { Environment } from "./options/environment-option.ts";

/** Where the engine of this machine listens. */
export const defaultSocket = "/run/hawser/hawser.sock";

/** Which engine is meant. */
export interface Context {
  readonly name: string;
  readonly endpoint: Endpoint;
  /** The user, not Hawser, chose the address: the client never starts an engine for it. */
  readonly chosen: boolean;
}

/**
 * The engine that the user means, by Docker's order: `--host`, `--context`, `DOCKER_HOST`, `HAWSER_HOST`, `DOCKER_CONTEXT`, the
 * settings' `currentContext`, else the engine of this machine.
 *
 * @throws {Fault} `invalid-argument` for an address that cannot be one, `not-found` for an unknown context.
 */
export function resolveContext(options: ContextOptions): Context {
  const { hosts, environment } = options;
  if (hosts.length > 1) throw cliFaults.HOST_UNRESOLVED("Specify only one -H");
  if (hosts.length > 0 && options.context !== "") throw cliFaults.CONTEXT_CONFLICT();
  const [host] = hosts;
  if (host !== undefined) return chosenHost(host, options);
  const name = contextNameOf(options);
  if (name !== "default") return namedContext(name, options);
  const fromEnvironment = options.context === "" ? hostIn(environment) : undefined;
  if (fromEnvironment !== undefined) return chosenHost(fromEnvironment, options);
  return ownContext();
}

/** The name of what `resolveContext` gives, whether it is there or not. */
export function contextNameOf(options: ContextOptions): string {
  if (options.hosts.length > 0) return "default";
  if (options.context !== "") return options.context;
  if (hostIn(options.environment) !== undefined) return "default";
  return options.environment["DOCKER_CONTEXT"] || options.config().currentContext || "default";
}

function hostIn(environment: Environment): string | undefined {
  return environment["DOCKER_HOST"] || environment["HAWSER_HOST"] || undefined;
}

export interface ContextOptions {
  readonly hosts: readonly string[];
  readonly context: string;
  /** What the command line says of TLS. */
  readonly tls: TlsFlags;
  readonly environment: Environment;
  readonly configDir: string;
  readonly config: () => ConfigFile;
}

/** The address that is meant when no context is. */
export function defaultEndpointOf({ hosts, environment }: ContextOptions): string {
  return hosts[0] ?? hostIn(environment) ?? `unix://${defaultSocket}`;
}

function ownContext(): Context {
  return { name: "default", endpoint: parseEndpoint(`unix://${defaultSocket}`), chosen: false };
}

function chosenHost(host: string, { environment, configDir, tls }: ContextOptions): Context {
  return {
    name: "default",
    endpoint: endpointOf(host, { environment, tls: () => tlsOfFlags(tls, { environment, configDir }) }),
    chosen: true,
  };
}

/** Certificates are read for addresses that are encrypted only. */
function endpointOf(
  host: string,
  options: { readonly environment: Environment; readonly tls: () => ClientTls | undefined },
): Endpoint {
  const text = host.trim().startsWith("/") ? `unix://${host.trim()}` : host.trim();
  try {
    const { environment } = options;
    const isTcp = /^(tcp|http|https):/.test(text);
    return parseEndpoint(text, { environment, tls: isTcp ? options.tls() : undefined });
  } catch (error) {
    if (Fault.is(error)) throw cliFaults.HOST_UNRESOLVED(error.message).because(error);
    throw error;
  }
}

function readContext(store: ContextStore, name: string): StoredContext {
  try {
    return store.read(name);
  } catch (error) {
    throw cliFaults.HOST_UNRESOLVED(Fault.from(error).message).because(error);
  }
}

function namedContext(name: string, { configDir, environment }: ContextOptions): Context {
  const store = new ContextStore(configDir);
  const { endpoint } = readContext(store, name);
  if (endpoint.host === "") return { ...ownContext(), name };
  const tls = () => store.readTls(name, { insecure: endpoint.skipTlsVerify });
  return { name, endpoint: endpointOf(endpoint.host, { environment, tls }), chosen: true };
}
