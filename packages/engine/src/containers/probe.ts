import { Fault, formatDurationNs } from "@hawser/base";
import type { Monitor } from "@hawser/runtime";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { writeExecProcess } from "./exec.ts";
import { removeExecFiles } from "./exec-records.ts";
import { ExecSession } from "./exec-session.ts";
import type { ProbePlan, ProbeResult } from "./health.ts";
import { ProbeOutput } from "./probe-output.ts";
import { publishContainerEvent, publishExecEvent } from "./publish-event.ts";

/**
 * Run a container's health check once: an exec, as any other to those who listen or inspect. Never fails: what goes wrong is
 * the result.
 *
 * @param request.signal ends the probe before its time, when its result is of no use any more
 */
export async function runProbe(
  collaborators: Collaborators,
  container: Container,
  request: { readonly plan: ProbePlan; readonly monitor: Monitor; readonly signal: AbortSignal },
): Promise<ProbeResult> {
  const { host, events } = collaborators;
  const { command } = request.plan;
  const startedAtMs = host.now();
  const session = new ExecSession(Buffer.from(host.randomBytes(32)).toString("hex"), container.id, {
    cmd: command,
    env: [],
    user: "",
    workingDir: "",
    privileged: false,
    tty: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    detachKeys: "",
  });
  container.execs.set(session.id, session);
  for (const action of ["exec_create", "exec_start"] as const)
    publishExecEvent(events, container, { id: session.id, cmd: command, action });
  try {
    const found = await runSession(collaborators, container, { ...request, session });
    publishContainerEvent(events, container, "exec_die", {
      execID: session.id,
      exitCode: String(session.exitCode ?? 137), // killed, if it has not ended by itself
    });
    return { startedAtMs, endedAtMs: host.now(), ...found };
  } catch (error) {
    return { startedAtMs, endedAtMs: host.now(), exitCode: -1, output: Fault.from(error).message };
  } finally {
    container.execs.delete(session.id);
    await removeExecFiles(host, session); // nobody asks for a probe again
  }
}

async function runSession(
  collaborators: Collaborators,
  container: Container,
  run: {
    readonly session: ExecSession;
    readonly plan: ProbePlan;
    readonly monitor: Monitor;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly exitCode: number; readonly output: string }> {
  const { session, plan, monitor } = run;
  const process = writeExecProcess(collaborators, container, session);
  session.phase = "starting";
  const { pid, stream } = await monitor.openExec(session.id, {
    process,
    tty: false,
    stdin: false,
    stdout: true,
    stderr: true,
    format: "raw",
  });
  session.pid = pid;
  if (session.phase === "starting") session.phase = "running";
  const output = new ProbeOutput();
  const closed = Promise.withResolvers<void>();
  stream.on("data", (chunk: Buffer) => output.push(chunk));
  stream.on("error", () => {}); // a close follows
  for (const event of ["end", "close"] as const) stream.on(event, () => closed.resolve());
  // The start of an exec takes its time and is not the probe's fault: only now does its time run.
  using timer = openTimer(plan.timeoutMs, run.signal);
  const ended = Promise.all([session.ended.promise, closed.promise]).then(() => "ended" as const);
  const outcome = await Promise.race([ended, timer.over]);
  stream.destroy();
  if (outcome === "ended") return { exitCode: session.exitCode ?? -1, output: output.text() };
  await monitor.kill(9, { exec: session.id }).catch(() => {}); // it may end by itself meanwhile
  const said = output.text();
  const late = `Health check exceeded timeout (${formatDurationNs(plan.timeoutMs * 1e6)})`;
  return { exitCode: -1, output: said === "" ? late : `${late}: ${said}` };
}

/** `over` resolves after so long, or when `signal` fires. */
function openTimer(ms: number, signal: AbortSignal): Disposable & { readonly over: Promise<"late"> } {
  const { promise, resolve } = Promise.withResolvers<"late">();
  const end = () => resolve("late");
  const timer = setTimeout(end, Math.min(ms, 2 ** 31 - 1));
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  return {
    over: promise,
    [Symbol.dispose]() {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
    },
  };
}
