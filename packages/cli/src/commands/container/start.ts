import type { ContainerInspect } from "@hawser/api";
import { Fault } from "@hawser/base";
import { defineCommand, type Invocation } from "../../command.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { printLine, warnLine } from "../../session.ts";
import { containerPath } from "../each-argument.ts";
import { ignoreNotModified } from "../not-modified.ts";
import { startAttached } from "./start-attached.ts";

const flags = {
  attach: boolFlag("Attach STDOUT/STDERR and forward signals", { short: "a" }),
  checkpoint: stringFlag("Restore from this checkpoint", { hidden: true }),
  "checkpoint-dir": stringFlag("Use a custom checkpoint storage directory", { hidden: true }),
  "detach-keys": stringFlag("Override the key sequence for detaching a container"),
  interactive: boolFlag("Attach container's STDIN", { short: "i" }),
} as const;

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags,
  arguments: { min: 1 },
  async run(invocation) {
    const { attach, interactive } = invocation.flags;
    return attach || interactive ? await startOne(invocation) : await startEach(invocation);
  },
});

async function startEach({ args, session, flags: given }: Invocation<typeof flags>): Promise<number> {
  const client = await session.connect();
  const failed: string[] = [];
  for (const container of args) {
    try {
      await client
        .command({ method: "POST", path: containerPath(container, "start"), query: checkpointQuery(given) })
        .catch(ignoreNotModified);
      await printLine(session, container);
    } catch (error) {
      await warnLine(session, Fault.from(error).message);
      failed.push(container);
    }
  }
  if (failed.length === 0) return 0;
  await warnLine(session, `Error: failed to start containers: ${failed.join(", ")}`);
  return 1;
}

function checkpointQuery(given: { readonly checkpoint: string; readonly "checkpoint-dir": string }) {
  return {
    checkpoint: given.checkpoint || undefined,
    "checkpoint-dir": given["checkpoint-dir"] || undefined,
  };
}

async function startOne({ args, session, flags: given }: Invocation<typeof flags>): Promise<number> {
  const [name = "", second] = args;
  if (second !== undefined) {
    throw cliFaults.OPTIONS_CONFLICT("you cannot start and attach multiple containers at once");
  }
  const client = await session.connect();
  const {
    Id: container,
    Config: config,
    HostConfig: host,
  } = await client.json<ContainerInspect>({
    method: "GET",
    path: containerPath(name, "json"),
  });
  const tty = config.Tty === true;
  const stdin = given.interactive && config.OpenStdin === true;
  if (stdin && tty && !session.stdin.isTTY) throw cliFaults.NOT_A_TERMINAL("the input device is not a TTY");
  return await startAttached({
    session,
    client,
    container,
    tty,
    stdin,
    stdout: true,
    stderr: true,
    detachKeys: given["detach-keys"],
    proxySignals: !tty,
    autoRemove: host.AutoRemove === true,
    start: () =>
      client
        .command({ method: "POST", path: containerPath(container, "start"), query: checkpointQuery(given) })
        .catch(ignoreNotModified),
  });
}
