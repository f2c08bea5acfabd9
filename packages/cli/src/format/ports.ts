import type { ContainerPort } from "@hawser/api";

interface PortRun {
  readonly first: number;
  readonly last: number;
}

/** A container's ports as `ps` shows them: `0.0.0.0:8080-8082->80-82/tcp, 9000/udp`. */
export function formatPorts(ports: readonly ContainerPort[]): string {
  const groups = new Map<string, PortRun>();
  const shown: string[] = [];
  const moved: string[] = [];
  for (const port of ports.toSorted(comparePorts)) {
    const current = port.PrivatePort;
    let key = port.Type;
    if (port.IP) {
      if (port.PublicPort !== undefined && port.PublicPort !== current) {
        moved.push(`${bracketed(port.IP)}:${port.PublicPort}->${port.PrivatePort}/${port.Type}`);
        continue;
      }
      key = `${port.IP}/${port.Type}`;
    }
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: current, last: current });
    else if (group.last === current - 1) groups.set(key, { first: group.first, last: current });
    else {
      shown.push(formatRun(key, group));
      groups.set(key, { first: current, last: current });
    }
  }
  for (const [key, group] of groups) shown.push(formatRun(key, group));
  return [...shown, ...moved].join(", ");
}

function formatRun(key: string, run: PortRun): string {
  const slash = key.lastIndexOf("/");
  const ip = slash < 0 ? "" : key.slice(0, slash);
  const type = key.slice(slash + 1);
  const range = run.first === run.last ? String(run.first) : `${run.first}-${run.last}`;
  return ip === "" ? `${range}/${type}` : `${bracketed(ip)}:${range}->${range}/${type}`;
}

function bracketed(ip: string): string {
  return ip.includes(":") ? `[${ip}]` : ip;
}

function comparePorts(a: ContainerPort, b: ContainerPort): number {
  return (
    a.PrivatePort - b.PrivatePort ||
    compareTexts(a.IP ?? "", b.IP ?? "") ||
    (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
    compareTexts(a.Type, b.Type)
  );
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
