import { accessSync, constants, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Session } from "../session.ts";

/** Of everybody, after the user's own: docker/cli, cli-plugins/manager, `defaultSystemPluginDirs`. */
const systemFolders = [
  "/usr/local/lib/docker/cli-plugins",
  "/usr/local/libexec/docker/cli-plugins",
  "/usr/lib/docker/cli-plugins",
  "/usr/libexec/docker/cli-plugins",
];

/** What Docker calls a plugin's name: nothing else is looked for. */
const form = /^[a-z][a-z0-9]*$/;

/** Where plugins of Docker's client are; of two with one name the first counts. */
export function pluginFolders({
  configDir,
  config,
}: Pick<Session, "configDir" | "config">): readonly string[] {
  return [...(config().cliPluginsExtraDirs ?? []), join(configDir, "cli-plugins"), ...systemFolders];
}

/** Path of the plugin's program, `docker-<name>`. */
export function findPlugin(name: string, folders: readonly string[]): string | undefined {
  if (!form.test(name)) return undefined;
  return folders.map((folder) => join(folder, `docker-${name}`)).find(isProgram);
}

/** Paths of all that are there, by their names, sorted. */
export function listPlugins(folders: readonly string[]): ReadonlyMap<string, string> {
  const names = folders.flatMap(entriesOf).flatMap((entry) => /^docker-(.*)$/.exec(entry)?.[1] ?? []);
  const sorted = [...new Set(names)].toSorted();
  return new Map(
    sorted.flatMap((name) => {
      const path = findPlugin(name, folders);
      return path === undefined ? [] : [[name, path] as const];
    }),
  );
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // most are not there
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
