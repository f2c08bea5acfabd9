export { BareNamespacePool } from "./bare-namespace-pool.ts";
export { type BridgeInfo, DefaultBridge, type DefaultBridgeOptions } from "./default-bridge.ts";
export type { Endpoint } from "./endpoint.ts";
export { type HostsFileOptions, hostsFile } from "./hosts-file.ts";
export { type ResolvConfOptions, resolvConfFor } from "./resolv-conf.ts";
