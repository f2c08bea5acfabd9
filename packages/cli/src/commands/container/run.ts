import type { ContainerCreateRequest } from "@hawser/api";
import { Fault } from "@hawser/base";
import { defineCommand, type Invocation } from "../../command.ts";
import { runExitCode } from "../../exit-code.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { printLine, type Session, warnLine } from "../../session.ts";
import { terminalSize } from "../../terminal.ts";
import { createContainer } from "./create-container.ts";
import { createFlags } from "./create-flags.ts";
import { createRequest, isRestarting } from "./create-request.ts";
import { startAttached } from "./start-attached.ts";

const flags = {
  ...createFlags,
  detach: boolFlag("Run container in background and print container ID", { short: "d" }),
  "detach-keys": stringFlag("Override the key sequence for detaching a container"),
  pull: stringFlag('Pull image before running ("always", "missing", "never")', { initial: "missing" }),
  "sig-proxy": boolFlag("Proxy received signals to the process", { initial: true }),
} as const;

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  flags,
  arguments: { min: 1 },
  stopAtFirst: true,
  async run(invocation) {
    let exitCode = 125;
    try {
      return await runContainer(invocation, (code) => {
        exitCode = code;
      });
    } catch (error) {
      const fault = Fault.from(error);
      if (fault.code === "NOT_A_TERMINAL") throw fault;
      await warnLine(
        invocation.session,
        `hawser: ${fault.message}\n\nRun 'hawser run --help' for more information`,
      );
      return exitCode;
    }
  },
});

async function runContainer(
  invocation: Invocation<typeof flags>,
  failWith: (exitCode: number) => void,
): Promise<number> {
  const { flags: given, session } = invocation;
  const attached = !given.detach;
  const request = requestFrom(invocation);
  if (attached && request.AttachStdin === true && given.tty && !session.stdin.isTTY) {
    throw cliFaults.NOT_A_TERMINAL("the input device is not a TTY");
  }
  const client = await session.connect();
  const container = await createContainer({ session, client, request, flags: given });
  const start = async () => {
    try {
      await client.command({ method: "POST", path: `/containers/${container}/start` });
    } catch (error) {
      failWith(runExitCode(Fault.from(error).message));
      throw error;
    }
  };
  if (!attached) {
    await start();
    await printLine(session, container);
    return 0;
  }
  if (request.AttachStdin !== true && request.AttachStdout !== true && request.AttachStderr !== true) {
    await start();
    return 0;
  }
  return await startAttached({
    session,
    client,
    container,
    tty: given.tty,
    stdin: request.AttachStdin === true && given.interactive,
    stdout: request.AttachStdout === true,
    stderr: request.AttachStderr === true,
    detachKeys: given["detach-keys"],
    proxySignals: given["sig-proxy"],
    autoRemove: given.rm,
    start,
  });
}

function requestFrom(invocation: Invocation<typeof flags>): ContainerCreateRequest {
  const { flags: given, changed, args, session } = invocation;
  if (given.rm && isRestarting(given.restart)) {
    throw cliFaults.OPTIONS_CONFLICT("conflicting options: cannot specify both --restart and --rm");
  }
  if (given.detach && given.attach.length > 0) {
    throw cliFaults.NOT_A_TERMINAL("conflicting options: cannot specify both --attach and --detach");
  }
  const request = createRequest({
    flags: given,
    changed,
    args,
    environment: session.environment,
    workingDir: session.workingDir,
  });
  if (!given.detach) return given.tty ? withConsoleSize(request, session) : request;
  return { ...request, AttachStdin: false, AttachStdout: false, AttachStderr: false, StdinOnce: false };
}

/** The container's terminal has the right size from its first moment on. */
function withConsoleSize(request: ContainerCreateRequest, session: Session): ContainerCreateRequest {
  const { rows, columns } = terminalSize(session);
  return { ...request, HostConfig: { ...request.HostConfig, ConsoleSize: [rows, columns] } };
}
