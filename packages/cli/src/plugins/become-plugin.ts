import type { GlobalFlags } from "../global-flags.ts";
import type { Session } from "../session.ts";
import { findPlugin, pluginFolders } from "./find-plugins.ts";

export interface PluginCall {
  readonly name: string;
  /** All that was typed: a plugin parses the global options, too. */
  readonly argv: readonly string[];
  readonly flags: GlobalFlags;
  readonly session: Session;
  /** Replace this process. */
  readonly become: (path: string, argv: readonly string[], environment: NodeJS.ProcessEnv) => never;
}

/**
 * Become the plugin of Docker's client that has this name, if there is one: its streams, terminal, signals and exit code are
 * this process's. It finds the engine that is meant: where Docker's own would be, this machine's Hawser engine is, started if need be.
 */
export async function becomePlugin({ name, argv, flags, session, become }: PluginCall): Promise<void> {
  const path = findPlugin(name, pluginFolders(session));
  if (path === undefined) return;
  const environment: NodeJS.ProcessEnv = { ...session.environment };
  const isChosen =
    session.contextName !== "default" || flags.host.length > 0 || (environment["DOCKER_HOST"] ?? "") !== "";
  if (!isChosen) {
    environment["DOCKER_HOST"] = session.defaultEndpoint();
    // What goes wrong is the plugin's to tell: perhaps it does not need an engine at all.
    await session.connect().catch(() => undefined);
  }
  // Its presence tells the program that it is called as a plugin (docker/cli, cli-plugins/metadata, `ReexecEnvvar`).
  environment["DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"] = "hawser";
  become(path, argv, environment);
}
