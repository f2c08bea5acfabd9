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
    get stdout() {
      return output("stdout");
    },
    get stderr() {
      return output("stderr");
    },
  });
}

const outputs = new Map<string, NodeJS.WriteStream>();

/** Standard output or error, made at its first use: that costs a millisecond each. */
function output(name: "stdout" | "stderr"): NodeJS.WriteStream {
  const known = outputs.get(name);
  if (known !== undefined) return known;
  const stream = process[name];
  outputs.set(name, stream);
  stream.on("error", (error) => {
    // whoever read our output went away: end as quietly as a program that SIGPIPE ends
    if (errnoOf(error) === "EPIPE") process.exit(141);
    if (name === "stdout") output("stderr").write(`hawser: cannot write /dev/stdout: ${error.message}\n`);
    process.exit(1);
  });
  return stream;
}

function openSession(flags: GlobalFlags): Session {
  const environment = process.env;
  const configDir = flags.config || environment["DOCKER_CONFIG"] || join(homedir(), ".docker");
  const warn = (message: string) => output("stderr").write(`${message}\n`);
  let config: ConfigFile | undefined;
  const readConfig = () => {
    config ??= readConfigFile(configDir, warn);
    return config;
  };
  const context: Context = resolveContext({
    hosts: flags.host,
    context: flags.context,
    tls:
      flags.tls || flags.tlsverify || flags.tlscacert !== "" || flags.tlscert !== "" || flags.tlskey !== "",
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
      return output("stdout");
    },
    get stderr() {
      return output("stderr");
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

void main().then(async (code) => {
  await Promise.all([...outputs.values()].map(written));
  // at once, not when the last handle closes: standard input may have nobody who ends it
  process.exit(code);
});

/** Resolves when all that was given to a stream is with the system. */
async function written(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength === 0) return;
  await new Promise((resolve) => stream.write("", resolve));
}
