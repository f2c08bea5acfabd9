import { defineFaults } from "@hawser/base";

/** Docker's own words wherever its clients show or match them. */
export const networkServiceFaults = defineFaults({
  NO_SUCH_NETWORK: ["not-found", (name: string) => `network ${name} not found`],
  NETWORK_AMBIGUOUS: [
    "invalid-argument",
    (name: string, count: number) => `network ${name} is ambiguous (${count} matches found on ID prefix)`,
  ],
  NETWORK_NAME_EMPTY: ["invalid-argument", () => "invalid name: name is empty"],
  NETWORK_EXISTS: ["conflict", (name: string) => `network with name ${name} already exists`],
  NETWORK_PREDEFINED_CREATE: [
    "permission-denied",
    (name: string) => `operation is not permitted on predefined ${name} network `,
  ],
  NETWORK_PREDEFINED_REMOVE: [
    "permission-denied",
    (name: string) => `${name} is a pre-defined network and cannot be removed`,
  ],
  NETWORK_IN_USE: [
    "permission-denied",
    (name: string, endpoints: string) =>
      `error while removing network: network ${name} has active endpoints (${endpoints})`,
  ],
  MODE_WITHOUT_CONTAINER: [
    "invalid-argument",
    () => "invalid network mode: invalid container format container:<name|id>",
  ],
  CONFIG_NETWORK_IN_USE: [
    "permission-denied",
    (name: string) => `error while removing network: configuration network ${JSON.stringify(name)} is in use`,
  ],
  CONFIG_NETWORK_MISSING: [
    "not-found",
    (name: string) => `configuration network ${JSON.stringify(name)} does not exist`,
  ],
  CONFIG_NETWORK_OPTIONS: [
    "permission-denied",
    (what: string) => `${what} are not supported if the network depends on a configuration network`,
  ],
  CONFIG_ONLY_OPTIONS: [
    "permission-denied",
    () =>
      "configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.",
  ],
  CONFIG_ONLY: [
    "permission-denied",
    (name: string) => `cannot connect to network ${name}: it is a configuration only network`,
  ],
  DRIVER_UNKNOWN: ["not-found", (name: string) => `plugin ${JSON.stringify(name)} not found`],
  DRIVER_ONCE: [
    "permission-denied",
    (driver: string) => `only one instance of ${JSON.stringify(driver)} network is allowed`,
  ],
  SWARM_NEEDED: ["permission-denied", () => "cannot create a swarm scoped network when swarm is not active"],
  SWARM_MANAGER_NEEDED: [
    "permission-denied",
    () =>
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  ],
  INGRESS_SCOPE: ["permission-denied", () => "Ingress network can only be global scope network"],
  NO_FAMILY: ["invalid-argument", () => "IPv4 or IPv6 must be enabled"],
  CONFIG_INVALID: ["invalid-argument", (why: string) => `invalid network config:\n${why}`],
  SEVERAL_SUBNETS: [
    "permission-denied",
    (driver: string) => `${driver} driver doesn't support multiple subnets`,
  ],
  SUBNET_OVERLAPS: [
    "permission-denied",
    () => "invalid pool request: Pool overlaps with other one on this address space",
  ],
  SUBNETS_EXHAUSTED: ["invalid-argument", () => "all predefined address pools have been fully subnetted"],
  BRIDGE_NAME_TAKEN: [
    "permission-denied",
    (id: string, bridge: string, other: string) =>
      `cannot create network ${id} (${bridge}): conflicts with network ${other} (${bridge}): networks have same bridge name`,
  ],
  OPTION_INVALID: [
    "invalid-argument",
    (option: string, value: string, why: string) => `failed to parse ${option} value: ${value} (${why})`,
  ],
  NETWORK_UNUSABLE: [
    "unavailable",
    (name: string, why: string) =>
      `Cannot use network ${name}: it could not be set up when the engine started: ${why}`,
  ],
  SETUP_MISSING: [
    "not-found",
    (name: string) => `failed to set up container networking: network ${name} not found`,
  ],
  MAC_ADDRESSES_DIFFER: [
    "invalid-argument",
    () =>
      "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty",
  ],
  MODE_CONFLICT: ["invalid-argument", (what: string) => `conflicting options: ${what}`],
  PORT_INVALID: ["invalid-argument", (text: string) => `invalid port specification: ${JSON.stringify(text)}`],
  PROTOCOL_INVALID: ["invalid-argument", (text: string) => `invalid proto: ${text}`],
  HOST_IP_INVALID: ["invalid-argument", (text: string) => `invalid IP address in port binding: ${text}`],
  PORT_NOT_PUBLISHED: [
    "conflict",
    (port: string) => `Cannot stop to publish port ${port}: it is not published so`,
  ],
  PUBLISH_WITHOUT_NETWORK: [
    "conflict",
    (name: string) => `Cannot publish ports of container ${name}: it has no network of its own that could`,
  ],
  PUBLISH_FAILED: [
    "internal",
    (name: string, endpoint: string, why: string) =>
      `failed to set up container networking: driver failed programming external connectivity on endpoint ${name} (${endpoint}): ${why}`,
  ],
  ENDPOINT_EXISTS: [
    "permission-denied",
    (container: string, network: string) =>
      `endpoint with name ${container} already exists in network ${network}`,
  ],
  ENDPOINT_INVALID: ["invalid-argument", (why: string) => `invalid endpoint settings:\n${why}`],
  CREATE_ENDPOINT_INVALID: [
    "invalid-argument",
    (network: string, why: string) =>
      `invalid config for network ${network}: invalid endpoint settings:\n${why}`,
  ],
  ADDRESSES_EXHAUSTED: [
    "resource-exhausted",
    (name: string, id: string) =>
      `failed to set up container networking: no available IPv4 addresses on this network's address pools: ${name} (${id})`,
  ],
  ADDRESS_IN_USE: ["permission-denied", () => "Address already in use"],
  CONNECT_HOST: [
    "invalid-argument",
    () => "cannot connect container to host network - container must be created in host network mode",
  ],
  CONNECT_NONE: [
    "invalid-argument",
    () =>
      "container cannot be connected to multiple networks with one of the networks in private (none) mode",
  ],
  CONNECT_SHARED: [
    "invalid-argument",
    () =>
      "container sharing network namespace with another container or host cannot be connected to any other network",
  ],
  DISCONNECT_HOST: [
    "invalid-argument",
    () => "cannot disconnect container from host network - container was created in host network mode",
  ],
  NOT_CONNECTED: [
    "internal",
    (id: string, network: string) => `container ${id} is not connected to network ${network}`,
  ],
  FILTER_TYPE: ["invalid-argument", (type: string) => `invalid filter: 'type'='${type}'`],
  FILTER_DANGLING: [
    "invalid-argument",
    () => `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`,
  ],
  VERBOSE_INVALID: [
    "invalid-argument",
    (value: string) =>
      `invalid value for verbose: ${value}: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
  ],
});
