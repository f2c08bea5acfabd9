export type { AccessOptions, AccessRule, Action } from "./access.ts";
export type { PushEvent } from "./call.ts";
export type { Collected } from "./collect-garbage.ts";
export { openRegistry, type Registry, type RegistryOptions, type TokenOptions } from "./open-registry.ts";
export { type OwnCertificate, openOwnCertificate } from "./own-certificate.ts";
export type { PullThroughOptions, Upstream } from "./pull-through.ts";
export { defaultRegistryLimits, type RegistryLimits } from "./registry-service.ts";
