import { defineFaults } from "@hawser/base";

export const networkFaults = defineFaults({
  NAME_INVALID: [
    "invalid-argument",
    (what: string, name: string, wanted: string) => `Cannot use "${name}" as ${what}: ${wanted} was wanted`,
  ],
  SUBNET_INVALID: [
    "invalid-argument",
    (text: string) =>
      `Cannot use "${text}" as subnet: an address of the gateway with a prefix length of 8 to 30 was wanted`,
  ],
  CIDR_INVALID: ["invalid-argument", (text: string) => `invalid CIDR address: ${text}`],
  RANGE_OUTSIDE: [
    "invalid-argument",
    (range: string, subnet: string) => `Cannot give addresses from ${range}: it is not within ${subnet}`,
  ],
  SUBNET_TAKEN: [
    "conflict",
    (subnet: string, other: string) => `Cannot use subnet ${subnet}: the host has a route to ${other}`,
  ],
  NO_SUBNET: [
    "resource-exhausted",
    () => "Cannot find a free subnet for the bridge: give one in the configuration",
  ],
  NOT_A_BRIDGE: [
    "conflict",
    (name: string, kind: string) => `Cannot use interface ${name}: it is ${kind}, a bridge was wanted`,
  ],
  NO_ADDRESS: [
    "resource-exhausted",
    (subnet: string) => `Cannot give an address: all of ${subnet} are in use`,
  ],
  ADDRESS_TAKEN: ["conflict", (address: string) => `Cannot give address ${address}: Address already in use`],
  ADDRESS_OUTSIDE: [
    "invalid-argument",
    (address: string, subnet: string) =>
      `Cannot give address ${address}: a host address of ${subnet} was wanted`,
  ],
  REFUSED: [
    "internal",
    (what: string, code: string, reason: string) =>
      `Cannot ${what}: the kernel says ${code}${reason && `: ${reason}`}`,
  ],
  FORWARDING_OFF: [
    "unavailable",
    (path: string) =>
      `Cannot switch on IP forwarding: ${path} cannot be written; set net.ipv4.ip_forward to 1`,
  ],
  PORT_ALLOCATED: [
    "unavailable",
    (address: string, port: string) => `Bind for ${address}:${port} failed: port is already allocated`,
  ],
  PORT_BIND: ["unavailable", (what: string, why: string) => `failed to bind host port for ${what}: ${why}`],
  PORT_IN_USE: ["unavailable", (why: string) => why],
  SCTP_UNSUPPORTED: [
    "unavailable",
    (where: string) => `failed to bind host port for ${where}/sctp: protocol not supported by this kernel`,
  ],
  PORTS_EXHAUSTED: ["resource-exhausted", () => "all ports are allocated"],
  NO_PARENT: [
    "not-found",
    (name: string) =>
      `Cannot use interface "${name}" as parent: the host has none of that name; give one with -o parent=<interface>`,
  ],
  VLAN_NUMBER: [
    "invalid-argument",
    (name: string) => `unable to parse a valid vlan id from: ${name} (ex. eth0.10 for vlan 10)`,
  ],
  VLAN_RANGE: ["invalid-argument", (id: number) => `vlan id must be between 1-4094, received: ${id}`],
  VLAN_PARENT: [
    "not-found",
    (parent: string) => `failed to find master interface ${parent} on the Docker host: Link not found`,
  ],
  KIND_MISSING: [
    "not-implemented",
    (kind: string) =>
      `Cannot make an interface: this kernel has no ${kind}; load its module, or use driver bridge`,
  ],
  CLOSED: ["unavailable", () => "Cannot give a network namespace: the pool is closed"],
  HOST_ENTRY_INVALID: ["invalid-argument", (entry: string) => `bad format for add-host: "${entry}"`],
});
