import { runProgram } from "@hawser/base";
import type { Collaborators } from "./collaborators.ts";
import type { Container } from "./container.ts";
import { containerFaults } from "./faults.ts";
import { containerCgroupOf } from "./host.ts";
import { publishContainerEvent } from "./publish-event.ts";

/** The processes of a container as the host's ps(1) shows them: its head line, and a line each, split into columns. */
export interface ProcessList {
  readonly titles: readonly string[];
  readonly processes: readonly (readonly string[])[];
}

/**
 * Show a container's processes.
 *
 * @param psArgs arguments for ps, separated by blanks; empty: `-ef`
 * @throws {Fault} `conflict` when it does not run; `internal`, in the words of ps, for arguments that it refuses or that hide
 *   the column PID (Docker answers 500).
 */
export async function listProcesses(
  { events, host }: Collaborators,
  container: Container,
  request: { readonly psArgs: string; readonly signal: AbortSignal },
): Promise<ProcessList> {
  const args = (request.psArgs || "-ef").split(" ").filter((word) => word !== "");
  checkArguments(request.psArgs);
  if (container.record.state.status === "restarting")
    throw containerFaults.CONTAINER_RESTARTING(container.id);
  if (container.monitor === undefined) throw containerFaults.CONTAINER_NOT_RUNNING(container.id);
  const procs = (await containerCgroupOf(host, container.record).read("pids", "cgroup.procs")) ?? "";
  const pids = new Set(procs.split("\n").filter((line) => line !== ""));
  const list = parsePs(await runPs(args, { pids, signal: request.signal }), pids);
  publishContainerEvent(events, container, "top");
  return list;
}

/** `-o name=PID` would give another column the name by which the processes are told apart. */
function checkArguments(psArgs: string): void {
  for (const [, key = "", value = ""] of psArgs.matchAll(/\s+([^\s]*)=\s*(PID[^\s]*)/g)) {
    if (key !== "pid") throw containerFaults.TOP_RENAMES(key, value);
  }
}

async function runPs(
  args: readonly string[],
  { pids, signal }: { readonly pids: ReadonlySet<string>; readonly signal: AbortSignal },
): Promise<string> {
  const chosen = await runProgram(["ps", ...args, `-q${[...pids].join(",")}`], { signal });
  if (chosen.exitCode === 0) return chosen.stdout;
  // Some arguments, `f` among them, do not go with a list of processes: all are asked for and the list applied afterwards.
  const all = await runProgram(["ps", ...args], { signal, maxOutputBytes: 32 << 20 });
  if (all.exitCode === 0) return all.stdout;
  throw containerFaults.PS_FAILED(all.stderr.split("\n", 1)[0] || `exit status ${all.exitCode}`);
}

/** Split what ps wrote, keep the lines of `pids`; a line without a pid, of a thread, belongs to the process above it. */
export function parsePs(output: string, pids: ReadonlySet<string>): ProcessList {
  const [head = "", ...lines] = output.split("\n");
  const titles = columnsOf(head);
  const pidColumn = titles.indexOf("PID");
  if (pidColumn < 0) throw containerFaults.TOP_WITHOUT_PID();
  const processes: (readonly string[])[] = [];
  let kept = false;
  for (const line of lines) {
    const columns = columnsOf(line);
    const pid = columns[pidColumn];
    if (pid === undefined) continue;
    if (pid !== "-") kept = pids.has(pid);
    if (!kept) continue;
    const last = titles.length - 1;
    processes.push([...columns.slice(0, last), columns.slice(last).join(" ")]);
  }
  return { titles, processes };
}

function columnsOf(line: string): string[] {
  return line.split(/[ \t\n\v\f\r]+/).filter((column) => column !== "");
}
