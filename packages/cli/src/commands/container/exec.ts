import type { ExecCreateRequest, ExecCreateResponse, ExecInspect } from "@hawser/api";
import type { EngineClient } from "@hawser/api/client";
import { joinStreams } from "../../attached-streams.ts";
import { defineCommand, type Invocation } from "../../command.ts";
import { parseDetachKeys } from "../../detach-keys.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag, listFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { parseEnvironmentValue, readPairFile } from "../../options/environment-option.ts";
import { cookedMode, followSize, terminalSize } from "../../terminal.ts";
import { containerPath } from "../each-argument.ts";

const flags = {
  detach: boolFlag("Detached mode: run command in the background", { short: "d" }),
  "detach-keys": stringFlag("Override the key sequence for detaching a container"),
  env: listFlag("Set environment variables", { short: "e" }),
  "env-file": listFlag("Read in a file of environment variables"),
  interactive: boolFlag("Keep STDIN open even if not attached", { short: "i" }),
  privileged: boolFlag("Give extended privileges to the command"),
  tty: boolFlag("Allocate a pseudo-TTY", { short: "t" }),
  user: stringFlag('Username or UID (format: "<name|uid>[:<group|gid>]")', { short: "u" }),
  workdir: stringFlag("Working directory inside the container", { short: "w" }),
} as const;

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  flags,
  arguments: { min: 2 },
  stopAtFirst: true,
  async run(invocation) {
    const { flags: given, args, session } = invocation;
    const request = execRequest(invocation);
    if (request.AttachStdin === true && given.tty && !session.stdin.isTTY) {
      throw cliFaults.NOT_A_TERMINAL("the input device is not a TTY");
    }
    const client = await session.connect();
    const { Id: id } = await client.json<ExecCreateResponse>({
      method: "POST",
      path: containerPath(args[0] ?? "", "exec"),
      json: request,
    });
    const start = { Detach: given.detach, Tty: given.tty, ConsoleSize: request.ConsoleSize ?? null };
    if (given.detach) {
      await client.command({ method: "POST", path: `/exec/${id}/start`, json: start });
      return 0;
    }
    return await runAttached(invocation, { client, id, start });
  },
});

async function runAttached(
  { flags: given, session }: Invocation<typeof flags>,
  exec: { readonly client: EngineClient; readonly id: string; readonly start: object },
): Promise<number> {
  const { client, id } = exec;
  const stream = await client.upgrade({ method: "POST", path: `/exec/${id}/start`, json: exec.start });
  using raw = given.tty && given.interactive ? session.rawMode() : cookedMode;
  await raw.settled;
  using _size = given.tty
    ? followSize(session, (size) =>
        client.command({
          method: "POST",
          path: `/exec/${id}/resize`,
          query: { h: size.rows, w: size.columns },
        }),
      )
    : nothing;
  const end = await joinStreams({
    socket: stream.socket,
    tty: given.tty,
    detachKeys: parseDetachKeys(given["detach-keys"] || (session.config().detachKeys ?? "")),
    ...(given.interactive && { stdin: session.stdin }),
    stdout: session.stdout,
    stderr: session.stderr,
  });
  if (end === "detached") throw cliFaults.DETACHED();
  const { ExitCode: exitCode } = await client.json<ExecInspect>({ method: "GET", path: `/exec/${id}/json` });
  return exitCode ?? 0;
}

function execRequest({ flags: given, args, session }: Invocation<typeof flags>): ExecCreateRequest {
  const { environment } = session;
  const lookUp = (name: string) => {
    const value = environment[name];
    return value === undefined ? undefined : `${name}=${value}`;
  };
  const detachKeys = given["detach-keys"] || session.config().detachKeys;
  const size = given.tty ? terminalSize(session) : { rows: 0, columns: 0 };
  return {
    User: given.user,
    Privileged: given.privileged,
    Tty: given.tty,
    ...(size.rows > 0 && { ConsoleSize: [size.rows, size.columns] as const }),
    AttachStdin: !given.detach && given.interactive,
    AttachStdout: !given.detach,
    AttachStderr: !given.detach,
    Detach: given.detach,
    ...(detachKeys !== undefined && detachKeys !== "" && { DetachKeys: detachKeys }),
    Env: [
      ...given["env-file"].flatMap((path) => readPairFile(path, { lookUp, workingDir: session.workingDir })),
      ...given.env.map((text) => parseEnvironmentValue(text, environment)),
    ],
    WorkingDir: given.workdir,
    Cmd: args.slice(1),
  };
}

const nothing: Disposable = { [Symbol.dispose]() {} };
