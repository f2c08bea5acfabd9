import { homedir } from "node:os";
import { join } from "node:path";
import type { EngineClient } from "@hawser/api/client";
import { errnoOf } from "@hawser/base";
import { type ConfigFile, readConfigFile } from "./config-file.ts";
import { connectEngine } from "./connect.ts";
import { type Context, resolveContext } from "./context.ts";
import { dispatch } from "./dispatch.ts";
import type { GlobalFlags } from "./global-flags.ts";
import type { Session } from "./session.ts";

/** The `hawser` program. */
async function main(): Promise<number> {
  return await dispatch({
    argv: process.argv.slice(2),
    openSession,
    stdout: process.stdout,
    stderr: process.stderr,
  });
}

function openSession(flags: GlobalFlags): Session {
  const environment = process.env;
  const configDir = flags.config || environment["DOCKER_CONFIG"] || join(homedir(), ".docker");
  const warn = (message: string) => process.stderr.write(`${message}\n`);
  let config: ConfigFile | undefined;
  const readConfig = () => {
    config ??= readConfigFile(configDir, warn);
    return config;
  };
  const context: Context = resolveContext({
    hosts: flags.host,
    context: flags.context,
    environment,
    configDir,
    config: readConfig,
  });
  let client: Promise<EngineClient> | undefined;
  return {
    environment,
    workingDir: process.cwd(),
    get stdin() {
      return process.stdin;
    },
    get stdout() {
      return process.stdout;
    },
    get stderr() {
      return process.stderr;
    },
    contextName: context.name,
    debug: flags.debug,
    now: () => new Date(),
    config: readConfig,
    connect: () => {
      client ??= connectEngine({ context, headers: readConfig().httpHeaders, environment, warn });
      return client;
    },
    onSignal: (names, listener) => {
      for (const name of names) process.on(name, listener);
      return {
        [Symbol.dispose]() {
          for (const name of names) process.off(name, listener);
        },
      };
    },
  };
}

// whoever reads our output went away: end as quietly as a program that SIGPIPE ends
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error) => {
    if (errnoOf(error) === "EPIPE") process.exit(141);
    throw error;
  });
}
void main().then(async (code) => {
  await Promise.all([written(process.stdout), written(process.stderr)]);
  // at once, not when the last handle closes: standard input may have nobody who ends it
  process.exit(code);
});

/** Resolves when all that was given to a stream is with the system. */
async function written(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength === 0) return;
  await new Promise((resolve) => stream.write("", resolve));
}
