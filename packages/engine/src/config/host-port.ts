import { hostname, networkInterfaces } from "node:os";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `host:port` or `[address]:port`, where a TCP socket is; `undefined` for anything else. */
export function findHostPort(text: string): HostPort | undefined {
  const [, bracketed, plain, digits] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

/** Whether who asks at `url` is answered by what listens there on this machine; names that only a name server knows are not looked up. */
export function leadsTo(url: URL, { host, port }: HostPort): boolean {
  if (Number(url.port || (url.protocol === "https:" ? 443 : 80)) !== port) return false;
  const asked = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  if (asked === host.toLowerCase()) return true;
  if (isLoopback(host)) return isLoopback(asked);
  if (host !== "0.0.0.0" && host !== "::") return false;
  const own = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
  return isLoopback(asked) || [hostname().toLowerCase(), ...own].includes(asked);
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}
