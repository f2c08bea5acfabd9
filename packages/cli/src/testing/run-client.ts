import { PassThrough, Writable } from "node:stream";
import { parseEndpoint } from "@hawser/api/client";
import type { ConfigFile } from "../config-file.ts";
import { connectEngine } from "../connect.ts";
import { dispatch } from "../dispatch.ts";
import type { PluginCall } from "../plugins/become-plugin.ts";
import type { Session } from "../session.ts";
import { cookedMode } from "../terminal.ts";

export interface ClientRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ClientOptions {
  readonly argv: readonly string[];
  /** `unix://…` */
  readonly host: string;
  /** What is typed; its end is the end of input. Absent: nothing, never ending. */
  readonly input?: string | PassThrough;
  readonly environment?: Readonly<Record<string, string>>;
  readonly config?: Partial<ConfigFile>;
  readonly workingDir?: string;
  readonly now?: Date;
  /** Folder of the settings file; default: one that is not there. */
  readonly configDir?: string;
  /** Gets the function that sends the client a signal. */
  readonly signals?: (send: (name: NodeJS.Signals) => void) => void;
  /** Stands for becoming another program. */
  readonly become?: PluginCall["become"];
}

/** Run the client inside this process and keep what it writes. */
export async function runClient(options: ClientOptions): Promise<ClientRun> {
  const written = { stdout: "", stderr: "" };
  // a reader that takes its time, as a pipe's does
  const output = (name: keyof typeof written) =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        written[name] += chunk.toString();
        setImmediate(done);
      },
    });
  const [stdout, stderr] = [output("stdout"), output("stderr")];
  const stdin = options.input instanceof PassThrough ? options.input : new PassThrough();
  if (typeof options.input === "string") stdin.end(options.input);
  const streams = { stdin, stdout, stderr } as unknown as Pick<Session, "stdin" | "stdout" | "stderr">;
  const environment = options.environment ?? {};
  const session: Session = {
    ...streams,
    environment,
    workingDir: options.workingDir ?? "/",
    configDir: options.configDir ?? "/nonexistent",
    contextName: options.config?.currentContext ?? "default",
    defaultEndpoint: () => options.host,
    debug: false,
    now: () => options.now ?? new Date(),
    config: () => ({ httpHeaders: {}, ...options.config }),
    connect: () =>
      connectEngine({
        context: { name: "default", endpoint: parseEndpoint(options.host), chosen: true },
        headers: {},
        environment,
        warn: (message) => stderr.write(`${message}\n`),
      }),
    rawMode: () => cookedMode,
    onSignal: (names, listener) => {
      let active = true;
      options.signals?.((name) => {
        if (active && names.includes(name)) listener(name);
      });
      return {
        [Symbol.dispose]() {
          active = false;
        },
      };
    },
  };
  const code = await dispatch({
    argv: options.argv,
    openSession: () => session,
    stdout: streams.stdout,
    stderr: streams.stderr,
    ...(options.become && { become: options.become }),
  });
  await Promise.all([stdout, stderr].map((stream) => new Promise((resolve) => stream.end(resolve))));
  return { code, ...written };
}
