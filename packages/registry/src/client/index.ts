export type { Credentials } from "./authorizer.ts";
export { isCidr } from "./cidr.ts";
export type { RegistrySettings } from "./host.ts";
export { type RegistryAccess, RegistryClient, type RegistryClientOptions } from "./registry-client.ts";
export type { FetchedManifest, Repository } from "./repository.ts";
export { defaultRetryPolicy, type RetryPolicy } from "./retry.ts";
export type { FoundRepository } from "./search-registry.ts";
export type { BlobSource, UploadOutcome } from "./upload-blob.ts";
export { WebClient, type WebFile } from "./web-client.ts";
