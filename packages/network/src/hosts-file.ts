import { isIP } from "node:net";
import { networkFaults } from "./faults.ts";

export interface HostsFileOptions {
  readonly hostname: string;
  readonly domainname?: string;
  /** The container's own; none where it has none. */
  readonly addresses?: readonly string[];
  /** Other containers, by the names that this one calls them. */
  readonly links?: readonly { readonly address: string; readonly names: readonly string[] }[];
  /** What `host-gateway` in `extraHosts` stands for. */
  readonly gateway?: string;
  /** `name:address`. */
  readonly extraHosts?: readonly string[];
}

const defaults = `127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::0	ip6-localnet
ff00::0	ip6-mcastprefix
ff02::1	ip6-allnodes
ff02::2	ip6-allrouters
`;

/**
 * A container's /etc/hosts as dockerd writes it: the fixed part, extra hosts in their order, the container itself.
 *
 * @throws {Fault} `invalid-argument` for an extra host that is not `name:address`.
 */
export function hostsFile(options: HostsFileOptions): string {
  const { addresses = [], links = [] } = options;
  const extra = (options.extraHosts ?? []).map((entry) => extraLine(entry, options.gateway));
  const names = hostsFileNames(options);
  const linked = links.map((link) => `${link.address}\t${link.names.join(" ")}\n`);
  return [defaults, ...extra, ...linked, ...addresses.map((address) => `${address}\t${names}\n`)].join("");
}

/** What a container calls itself beside its addresses: its full name, and the first part of it (moby's `updateHostsFile`). */
export function hostsFileNames({
  hostname,
  domainname = "",
}: Pick<HostsFileOptions, "hostname" | "domainname">): string {
  const fullName = domainname === "" ? hostname : `${hostname}.${domainname}`;
  const [first = ""] = fullName.split(".", 1);
  return first === fullName ? fullName : `${fullName} ${first}`;
}

function extraLine(entry: string, gateway: string | undefined): string {
  const [, name = "", value = ""] = /^([^:\s]+):(\S+)$/.exec(entry) ?? [];
  const address = value === "host-gateway" ? gateway : value;
  if (name === "" || address === undefined || isIP(address) === 0)
    throw networkFaults.HOST_ENTRY_INVALID(entry);
  return `${address}\t${name}\n`;
}
