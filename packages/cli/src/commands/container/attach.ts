import type { ContainerInspect } from "@hawser/api";
import { defineCommand } from "../../command.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { proxySignals } from "../../signal-proxy.ts";
import { cookedMode, followSize, terminalSize } from "../../terminal.ts";
import { containerPath } from "../each-argument.ts";
import { type AttachedContainer, join, openAttach, openWait, resizeContainer } from "./start-attached.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  flags: {
    "detach-keys": stringFlag("Override the key sequence for detaching a container"),
    "no-stdin": boolFlag("Do not attach STDIN"),
    "sig-proxy": boolFlag("Proxy all received signals to the process", { initial: true }),
  },
  arguments: { min: 1, max: 1 },
  async run({ flags, args, session }) {
    const client = await session.connect();
    const {
      Id: container,
      Config: config,
      State: state,
    } = await client.json<ContainerInspect>({
      method: "GET",
      path: containerPath(args[0] ?? "", "json"),
    });
    const refusal = attachRefusal(state);
    if (refusal !== undefined) throw cliFaults.OPTIONS_CONFLICT(refusal);
    const tty = config.Tty === true;
    const stdin = !flags["no-stdin"] && config.OpenStdin === true;
    if (stdin && tty && !session.stdin.isTTY) throw cliFaults.NOT_A_TERMINAL("the input device is not a TTY");
    const target: AttachedContainer = {
      session,
      client,
      container,
      tty,
      stdin,
      stdout: true,
      stderr: true,
      detachKeys: flags["detach-keys"],
      proxySignals: flags["sig-proxy"] && !tty,
    };
    const abort = new AbortController();
    const exited = await openWait(target, { condition: "", signal: abort.signal });
    const exit = exited.read();
    exit.catch(() => {}); // read below, unless the user detaches
    const stream = await openAttach(target, { signal: abort.signal });
    using _signals = target.proxySignals ? proxySignals(target) : nothing;
    using raw = tty && stdin ? session.rawMode() : cookedMode;
    await raw.settled;
    if (tty) await redraw(target);
    using _size = tty ? followSize(session, (size) => resizeContainer(target, size)) : nothing;
    if ((await join(target, stream)) === "detached") {
      abort.abort();
      throw cliFaults.DETACHED();
    }
    return await exit;
  },
});

/** A program draws its screen again when the size changes: a client that attaches wants to see it. */
async function redraw(target: AttachedContainer): Promise<void> {
  const { rows, columns } = terminalSize(target.session);
  if (rows === 0 && columns === 0) return;
  await resizeContainer(target, { rows: rows + 1, columns: columns + 1 }).catch(() => {});
}

function attachRefusal(state: ContainerInspect["State"]): string | undefined {
  if (!state.Running) return "You cannot attach to a stopped container, start it first";
  if (state.Paused) return "You cannot attach to a paused container, unpause it first";
  if (state.Restarting) return "You cannot attach to a restarting container, wait until it is running";
  return undefined;
}

const nothing: Disposable = { [Symbol.dispose]() {} };
