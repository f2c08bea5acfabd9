import { errnoOf } from "@hawser/base";
import { dispatch } from "./dispatch.ts";
import { openSession, type Surroundings } from "./open-session.ts";
import { terminalRawMode } from "./terminal.ts";

/** The `hawser` program. */
async function main(): Promise<number> {
  return await dispatch({
    argv: process.argv.slice(2),
    openSession: (flags) => openSession(flags, surroundings),
    become: (path, args, environment) => {
      if (process.execve === undefined) throw new Error("Cannot start a plugin: this Node has no execve");
      return process.execve(path, [path, ...args], environment);
    },
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

const surroundings: Surroundings = {
  environment: process.env,
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
  rawMode: () => terminalRawMode(process.stdin),
  onSignal: (names, listener) => {
    for (const name of names) process.on(name, listener);
    return {
      [Symbol.dispose]() {
        for (const name of names) process.off(name, listener);
      },
    };
  },
};

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
