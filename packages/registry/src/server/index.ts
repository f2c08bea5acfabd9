export type { AccessOptions, AccessRule, Action } from "./access.ts";
export type { PushEvent } from "./call.ts";
export type { Collected } from "./collect-garbage.ts";
export { openRegistry, type Registry, type RegistryOptions } from "./open-registry.ts";
export { defaultRegistryLimits, type RegistryLimits } from "./registry-service.ts";
