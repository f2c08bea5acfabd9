export { type Lease, type LeasedAddress, type LeasedSubnet } from "./address-leases.ts";
export { BareNamespacePool } from "./bare-namespace-pool.ts";
export {
  BridgeNetwork,
  type BridgeNetworkOptions,
  type BridgeSubnet,
  checkBridgeName,
  type GatewayMode,
  unplug,
} from "./bridge-network.ts";
export { type ChildKind, ChildNetwork, childModes } from "./child-network.ts";
export {
  type BridgeInfo,
  DefaultBridge,
  type DefaultBridgeOptions,
  type ReadyPlace,
} from "./default-bridge.ts";
export { NameKeeper, type NameSockets } from "./dns/name-keeper.ts";
export { NameServer, type NameService, nameServerAddress } from "./dns/name-server.ts";
export type { NameZone } from "./dns/name-zone.ts";
export { Firewall } from "./firewall.ts";
export type { RuleElement } from "./firewall-rules.ts";
export { openHostInterfaceNames } from "./host-interface-names.ts";
export { type HostsFileOptions, hostsFile, hostsFileNames } from "./hosts-file.ts";
export {
  contains,
  formatIp,
  formatPrefix,
  type IpAddress,
  type IpPrefix,
  lastOf,
  parseCidr,
  parseIp,
  prefixesOverlap,
} from "./ip-address.ts";
export { watchDeletedLinks } from "./link-watch.ts";
export { NamedNamespacePool } from "./named-namespace-pool.ts";
export { type MadeParent, planParentLink } from "./parent-link.ts";
export type { PlugOptions } from "./plug-options.ts";
export {
  type PortRequest,
  type Protocol,
  type PublishedPort,
  PublishedPorts,
  type PublishTarget,
} from "./published-ports.ts";
export {
  nameserversFor,
  type ResolvConfOptions,
  resolvConfFor,
  resolvConfWithServer,
} from "./resolv-conf.ts";
export { hasDefaultRoute, removeStrayInterfaces } from "./stray-interfaces.ts";
export {
  choosePrefix,
  chooseUniqueLocalPrefix,
  type SubnetPool,
  type Surroundings,
} from "./subnet-choice.ts";
export { lockSubnets } from "./subnet-lock.ts";
export { hostRoutePrefixes, resolverAddresses } from "./surroundings.ts";
