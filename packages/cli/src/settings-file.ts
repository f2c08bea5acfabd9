import { readFileSync, realpathSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, Fault, writeFileAtomic } from "@hawser/base";
import { cliFaults } from "./faults.ts";
import type { Session } from "./session.ts";

/** The user's settings as they are in the file, with whatever other programs keep there. */
export type Settings = Readonly<Record<string, unknown>>;

function settingsPath({ configDir }: Session): string {
  return join(configDir, "config.json");
}

/** @throws {Fault} when it is there and cannot be read */
export function readSettings(session: Session): Settings {
  const path = settingsPath(session);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(errnoOf(error) ?? "")) return {};
    throw Fault.from(error);
  }
  try {
    return tableOf(JSON.parse(text));
  } catch {
    // What cannot be understood was told of when the command began; it is not overwritten.
    return unreadable;
  }
}

const unreadable: Settings = {};

/** Returns its path. @throws {Fault} `conflict` for one that is not understood: it is not overwritten. */
export async function writeSettings(session: Session, settings: Settings): Promise<string> {
  const path = settingsPath(session);
  if (readSettings(session) === unreadable) throw cliFaults.SETTINGS_UNREADABLE(path);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFileAtomic(throughLink(path), JSON.stringify(settings, undefined, "\t"), { mode: 0o600 });
  return path;
}

/** Who links the file to another place wants that one changed. */
function throughLink(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** An object of JSON; empty for anything else. */
export function tableOf(value: unknown): Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Settings) : {};
}
