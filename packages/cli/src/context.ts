import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Endpoint, parseEndpoint } from "@hawser/api/client";
import { errnoOf, Fault } from "@hawser/base";
import type { ConfigFile } from "./config-file.ts";
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
  const context = resolveAny(options);
  const tls = options.tls || Boolean(options.environment["DOCKER_TLS_VERIFY"]);
  // never in the clear what was to be encrypted
  if (tls && context.endpoint.kind === "tcp") throw cliFaults.TLS_UNSUPPORTED(context.endpoint.text);
  return context;
}

export interface ContextOptions {
  readonly hosts: readonly string[];
  readonly context: string;
  /** TLS was asked for on the command line. */
  readonly tls: boolean;
  readonly environment: Environment;
  readonly configDir: string;
  readonly config: () => ConfigFile;
}

function resolveAny(options: ContextOptions): Context {
  const { hosts, environment } = options;
  if (hosts.length > 1) throw cliFaults.HOST_UNRESOLVED("Specify only one -H");
  if (hosts.length > 0 && options.context !== "") throw cliFaults.CONTEXT_CONFLICT();
  const host = hosts[0];
  if (host !== undefined) return chosenHost(host);
  if (options.context !== "") return namedContext(options.context, options.configDir);
  const fromEnvironment = environment["DOCKER_HOST"] || environment["HAWSER_HOST"];
  if (fromEnvironment) return chosenHost(fromEnvironment);
  const name = environment["DOCKER_CONTEXT"] || options.config().currentContext;
  if (name !== undefined && name !== "" && name !== "default") return namedContext(name, options.configDir);
  return { name: "default", endpoint: parseEndpoint(`unix://${defaultSocket}`), chosen: false };
}

function chosenHost(host: string): Context {
  return { name: "default", endpoint: endpointOf(host), chosen: true };
}

function endpointOf(host: string): Endpoint {
  try {
    const text = host.trim();
    return parseEndpoint(text.startsWith("/") ? `unix://${text}` : text);
  } catch (error) {
    if (Fault.is(error)) throw cliFaults.HOST_UNRESOLVED(error.message).because(error);
    throw error;
  }
}

/** Docker's store of contexts: `<config>/contexts/meta/<sha256 of the name>/meta.json`. */
function namedContext(name: string, configDir: string): Context {
  if (name === "default") {
    return { name, endpoint: parseEndpoint(`unix://${defaultSocket}`), chosen: false };
  }
  const id = createHash("sha256").update(name).digest("hex");
  const path = join(configDir, "contexts", "meta", id, "meta.json");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const why = errnoOf(error) === "ENOENT" ? "no such file or directory" : (errnoOf(error) ?? String(error));
    throw cliFaults.CONTEXT_NOT_FOUND(name, `open ${path}: ${why}`).because(error);
  }
  const host = hostOf(text);
  if (host === undefined)
    throw cliFaults.HOST_UNRESOLVED(`context "${name}" has no address of an engine: ${path}`);
  return { name, endpoint: endpointOf(host), chosen: true };
}

function hostOf(text: string): string | undefined {
  try {
    const value = JSON.parse(text) as {
      readonly Endpoints?: { readonly docker?: { readonly Host?: unknown } };
    } | null;
    const host = value?.Endpoints?.docker?.Host;
    return typeof host === "string" && host !== "" ? host : undefined;
  } catch {
    return undefined;
  }
}
