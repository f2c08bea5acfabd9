import { homedir } from "node:os";
import { join } from "node:path";
import type { EngineClient } from "@hawser/api/client";
import { type ConfigFile, readConfigFile } from "./config-file.ts";
import { connectEngine } from "./connect.ts";
import { type ContextOptions, contextNameOf, defaultEndpointOf, resolveContext } from "./context.ts";
import type { GlobalFlags } from "./global-flags.ts";
import type { Session } from "./session.ts";

/** What a session has from the process in which its user typed the command. */
export type Surroundings = Pick<
  Session,
  "environment" | "workingDir" | "stdin" | "stdout" | "stderr" | "onSignal" | "rawMode"
>;

/**
 * A session with the user's settings and the engine that is meant.
 *
 * @param options.onClient sees the client of the engine once there is one
 * @throws {Fault} `invalid-argument`, `not-found` as `resolveContext`
 */
export function openSession(
  flags: GlobalFlags,
  surroundings: Surroundings,
  options: { readonly onClient?: (client: EngineClient) => void } = {},
): Session {
  const { environment } = surroundings;
  const configDir =
    flags.config || environment["DOCKER_CONFIG"] || join(environment["HOME"] || homedir(), ".docker");
  const warn = (message: string) => surroundings.stderr.write(`${message}\n`);
  let config: ConfigFile | undefined;
  const readConfig = () => {
    config ??= readConfigFile(configDir, warn);
    return config;
  };
  const asked: ContextOptions = {
    hosts: flags.host,
    context: flags.context,
    tls: flags,
    environment,
    configDir,
    config: readConfig,
  };
  let client: Promise<EngineClient> | undefined;
  return {
    environment,
    workingDir: surroundings.workingDir,
    get stdin() {
      return surroundings.stdin;
    },
    get stdout() {
      return surroundings.stdout;
    },
    get stderr() {
      return surroundings.stderr;
    },
    configDir,
    contextName: contextNameOf(asked),
    defaultEndpoint: () => defaultEndpointOf(asked),
    debug: flags.debug,
    now: () => new Date(),
    config: readConfig,
    connect: ({ mayStart } = { mayStart: true }) => {
      const { onClient } = options;
      const headers = readConfig().httpHeaders;
      client ??= connectEngine({
        context: resolveContext(asked),
        headers,
        environment,
        warn,
        mayStart,
        ...(onClient && { onClient }),
      });
      return client;
    },
    onSignal: surroundings.onSignal,
    rawMode: surroundings.rawMode,
  };
}
