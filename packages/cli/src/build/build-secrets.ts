import { readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { resolve } from "node:path";
import type { Duplex } from "node:stream";
import { errnoOf } from "@hawser/base";
import { cliFaults } from "../faults.ts";
import { parseCsvFields, splitPair } from "../options/csv-fields.ts";
import { valueError } from "../options/value-error.ts";
import type { Session } from "../session.ts";

/** As BuildKit has it. */
const maxSecretBytes = 500 << 10;

/** Gives a secret's bytes when it is asked for. @throws {Fault} `not-found` */
export type ReadSecret = () => Uint8Array;

/**
 * `--secret id=x[,src=path|,env=NAME][,type=file|env]`. Without a source: the variable of that name, else the file.
 *
 * @throws {Fault} `invalid-argument`, `not-found` for a file that is not there
 */
export function parseSecret(session: Session, text: string): readonly [id: string, read: ReadSecret] {
  const given = new Map<string, string>();
  for (const field of parseCsvFields(text)) {
    const [name, value] = splitPair(field);
    const key = name.toLowerCase();
    if (value === undefined) throw valueError(`invalid field '${field}' must be a key=value pair`);
    if (!["id", "src", "source", "env", "type"].includes(key)) {
      throw valueError(`unexpected key '${name}' in '${field}'`);
    }
    given.set(key, value);
  }
  const type = given.get("type") ?? "";
  if (!["", "file", "env"].includes(type)) throw valueError(`unsupported secret type "${type}"`);
  const source = given.get("src") ?? given.get("source");
  const id = given.get("id") || source || given.get("env") || "";
  if (id === "") throw valueError(`invalid secret ${JSON.stringify(text)}: it needs an id`);
  const { environment } = session;
  const isVariable = type === "env" || (type === "" && source === undefined && environment[id] !== undefined);
  const variable = given.get("env") ?? (isVariable ? (source ?? id) : undefined);
  if (variable !== undefined)
    return [id, () => bounded(id, Buffer.from(environment[variable] ?? absent(id)))];
  const path = resolve(session.workingDir, source ?? id);
  try {
    statSync(path);
  } catch (error) {
    const why = errnoOf(error) === "ENOENT" ? "no such file or directory" : String(errnoOf(error));
    throw cliFaults.FILE_UNREADABLE(`failed to stat ${path}: ${why}`).because(error);
  }
  return [id, () => bounded(id, readFileSync(path))];
}

function absent(id: string): never {
  throw cliFaults.SECRET_ABSENT(id);
}

function bounded(id: string, bytes: Uint8Array): Uint8Array {
  if (bytes.length > maxSecretBytes) {
    throw valueError(`secret ${id} has ${bytes.length} bytes, the most is ${maxSecretBytes}`);
  }
  return bytes;
}

/**
 * `--ssh default`, `--ssh id=socket`: the agent that is lent by that name.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parseAgent(session: Session, text: string): readonly [id: string, socket: string] {
  const [id, given] = splitPair(text);
  const socket = given || (session.environment["SSH_AUTH_SOCK"] ?? "");
  if (socket === "") throw valueError("invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set");
  const path = resolve(session.workingDir, socket);
  try {
    if (statSync(path).isSocket()) return [id || "default", path];
  } catch (error) {
    throw cliFaults.FILE_UNREADABLE(`failed to open ${path}: ${String(errnoOf(error))}`).because(error);
  }
  throw valueError(`Cannot lend ${socket}: it is no agent's socket; add keys to an agent (ssh-add)`);
}

/** A connection to an agent. @throws {Fault} `unavailable` */
export async function openAgent(id: string, path: string): Promise<Duplex> {
  const socket = connect(path);
  try {
    await new Promise<void>((done, failed) => {
      socket.once("connect", done);
      socket.once("error", failed);
    });
    return socket;
  } catch (error) {
    throw cliFaults.AGENT_ABSENT(id, String(errnoOf(error))).because(error);
  }
}
