import assert from "node:assert/strict";
import { after, before } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { openEngine, type TestEngine } from "./kit-engine.ts";
import { ask } from "./kit-http.ts";

/** An engine of a file's own, and a folder beside it. */
export interface OwnEngine {
  readonly engine: TestEngine;
  /** Absolute path of a folder that goes with the file's last test. */
  readonly folder: string;
  /** The client; anything but exit code 0 is an error. Returns its standard output, trimmed. */
  readonly ok: (...args: readonly string[]) => Promise<string>;
  /** The client; exit code 0 is an error. Returns its standard error. */
  readonly refused: (...args: readonly string[]) => Promise<string>;
}

/** One engine for all tests of a file, from its first test to its last, with busybox, spoken to by docker's client or Hawser's. */
export function useOwnEngine(
  options: {
    readonly client?: "docker" | "hawser";
    /** More flags of the engine's. */
    readonly flags?: (folder: string) => readonly string[];
    /** Done before the first test, when the engine is there. */
    readonly prepare?: (folder: string) => Promise<void>;
  } = {},
): OwnEngine {
  const { client = "docker", flags = () => [] } = options;
  let opened:
    | { readonly engine: TestEngine; readonly dir: Awaited<ReturnType<typeof openTempDir>> }
    | undefined;
  const current = () => {
    if (opened === undefined) throw new Error("the engine is there from the file's first test to its last");
    return opened;
  };
  const ok: OwnEngine["ok"] = async (...args) => {
    const { exitCode, stdout, stderr } = await current().engine[client](args);
    assert.equal(exitCode, 0, `${client} ${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  };
  const refused: OwnEngine["refused"] = async (...args) => {
    const { exitCode, stderr } = await current().engine[client](args);
    assert.notEqual(exitCode, 0, `${client} ${args.join(" ")} was to fail`);
    return stderr;
  };
  before(async () => {
    const dir = await openTempDir("hawser-own-engine-");
    opened = { dir, engine: await openEngine({ flags: flags(dir.path) }) };
    const pulled = await ask(opened.engine.socket, "POST /images/create?fromImage=busybox&tag=latest");
    assert.equal(pulled.status, 200, pulled.text);
    assert.doesNotMatch(pulled.text, /"error"/);
    await options.prepare?.(dir.path);
  });
  after(async () => {
    await opened?.engine[Symbol.asyncDispose]();
    await opened?.dir[Symbol.asyncDispose]();
  });
  return {
    get engine() {
      return current().engine;
    },
    get folder() {
      return current().dir.path;
    },
    ok,
    refused,
  };
}
