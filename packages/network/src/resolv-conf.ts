import { isIPv4 } from "node:net";
import { nameServerAddress } from "./dns/name-server.ts";

export interface ResolvConfOptions {
  /** Content of /run/systemd/resolve/resolv.conf, which is used when the host's own file names systemd's stub alone. */
  readonly systemdText?: string;
  /** Keep name servers of any kind: for a container on the host's own network. */
  readonly keepLoopback?: boolean;
  /** Each replaces what the host has, unless empty. `search` of `.` alone: none. */
  readonly nameservers?: readonly string[];
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

/** What dockerd falls back to as well. */
const publicNameservers = ["8.8.8.8", "8.8.4.4"];

/**
 * The resolv.conf(5) of a container, made of the host's: name servers that the container cannot reach are left out
 * (loopback, which is another one there; IPv6, which the default bridge does not carry), and when none is left, public ones
 * take their place. Everything else stays as it is.
 */
export function resolvConfFor(hostText: string, options: ResolvConfOptions = {}): string {
  const useSystemd =
    options.keepLoopback !== true && options.systemdText !== undefined && namesStubAlone(hostText);
  const lines = ((useSystemd ? options.systemdText : undefined) ?? hostText)
    .split("\n")
    .map((line) => line.trimEnd());
  const { nameservers = [], search = [], options: resolverOptions = [] } = options;
  const servers = nameservers.length > 0 ? nameservers : serversFrom(lines, options.keepLoopback === true);
  const replaced = new Set(["nameserver"]);
  if (search.length > 0) replaced.add("search").add("domain");
  if (resolverOptions.length > 0) replaced.add("options");
  const kept = lines.filter((line) => line !== "" && !replaced.has(keyword(line)));
  const domains = search.length === 1 && search[0] === "." ? [] : search;
  return [
    ...kept,
    ...servers.map((server) => `nameserver ${server}`),
    ...(domains.length > 0 ? [`search ${domains.join(" ")}`] : []),
    ...(resolverOptions.length > 0 ? [`options ${resolverOptions.join(" ")}`] : []),
    "",
  ].join("\n");
}

/**
 * The resolv.conf(5) of a container with a name server of its own: that is asked for everything; single labels are names of
 * its networks before they are anything else (`ndots:0`, unless somebody wants it otherwise).
 */
export function resolvConfWithServer(hostText: string, options: ResolvConfOptions): string {
  const made = resolvConfFor(hostText, { ...options, nameservers: [nameServerAddress] });
  if (/^options\b.*\bndots:/m.test(made)) return made;
  const [, own = ""] = /^options[ \t]+(.*)$/m.exec(made) ?? [];
  const others = made.split("\n").filter((line) => keyword(line) !== "options" && line !== "");
  return [...others, `options ${[own, "ndots:0"].filter(Boolean).join(" ")}`, ""].join("\n");
}

/** Who is to be asked for names that are not a container's: the host's servers, or those that Docker falls back to. */
export function nameserversFor(hostText: string): readonly string[] {
  const servers = nameserversOf(hostText.split("\n"));
  return servers.length > 0 ? servers : publicNameservers;
}

function serversFrom(lines: readonly string[], keepAll: boolean): readonly string[] {
  const servers = nameserversOf(lines);
  if (keepAll) return servers;
  const reachable = servers.filter((server) => isIPv4(server) && !server.startsWith("127."));
  return reachable.length > 0 ? reachable : publicNameservers;
}

/** As dockerd and systemd have it: the stub, and nothing beside it. */
function namesStubAlone(text: string): boolean {
  const servers = nameserversOf(text.split("\n"));
  return servers.length === 1 && servers[0] === "127.0.0.53";
}

function nameserversOf(lines: readonly string[]): string[] {
  return lines.flatMap((line) => (keyword(line) === "nameserver" ? (line.trim().split(/\s+/)[1] ?? []) : []));
}

function keyword(line: string): string {
  return /^\s*([a-z]+)(?=\s|$)/.exec(line)?.[1] ?? "";
}
