/** Counters of one network interface. */
export interface InterfaceCounters {
  readonly receivedBytes: number;
  readonly receivedPackets: number;
  readonly receiveErrors: number;
  readonly receiveDropped: number;
  readonly sentBytes: number;
  readonly sentPackets: number;
  readonly sendErrors: number;
  readonly sendDropped: number;
}

/** Processor time of the whole machine since it started. */
export interface MachineTime {
  /** Of all processors together, idle time included. */
  readonly totalNs: number;
  readonly processorCount: number;
}

/** proc(5) counts processor time in hundredths of a second. */
const nsPerTick = 10_000_000;

/** `/proc/stat`: user to softirq; time that a hypervisor took is not of this machine. */
export function parseProcStat(text: string): MachineTime {
  const [, columns = ""] = /^cpu +(.*)$/m.exec(text) ?? [];
  const ticks = columns.split(" ").slice(0, 7).map(Number);
  return {
    totalNs: ticks.reduce((sum, value) => sum + value, 0) * nsPerTick,
    processorCount: text.match(/^cpu\d+ /gm)?.length ?? 1,
  };
}

/** `/proc/<pid>/net/dev`, without the loopback. */
export function parseNetDev(text: string): Readonly<Record<string, InterfaceCounters>> {
  const found: [string, InterfaceCounters][] = [];
  for (const line of text.split("\n")) {
    const [, name, columns = ""] = /^\s*([^\s:]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || name === "lo") continue;
    const [receivedBytes = 0, receivedPackets = 0, receiveErrors = 0, receiveDropped = 0, , , , , ...sent] =
      columns.split(/\s+/).map(Number);
    const [sentBytes = 0, sentPackets = 0, sendErrors = 0, sendDropped = 0] = sent;
    found.push([
      name,
      {
        receivedBytes,
        receivedPackets,
        receiveErrors,
        receiveDropped,
        sentBytes,
        sentPackets,
        sendErrors,
        sendDropped,
      },
    ]);
  }
  return Object.fromEntries(found);
}
