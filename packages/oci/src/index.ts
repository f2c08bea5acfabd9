export { attestationAnnotations, findAttestations } from "./attestations.ts";
export { type ChainId, chainIdOf, chainIdsOf, parseChainId } from "./chain-id.ts";
export { type Descriptor, readDescriptor } from "./descriptor.ts";
export {
  type Digest,
  type DigestAlgorithm,
  digestAlgorithm,
  digestHex,
  digestOf,
  isDigest,
  parseDigest,
  shortId,
} from "./digest.ts";
export { type IdRange, insideOf, outsideOf, type UserMap } from "./id-map.ts";
export {
  type ExecutionConfig,
  formatImageConfig,
  type HistoryEntry,
  type ImageConfig,
  type ImageHealthcheck,
  parseImageConfig,
} from "./image-config.ts";
export { type Index, type Manifest, parseManifest } from "./manifest.ts";
export {
  isConfigMediaType,
  isIndexMediaType,
  isManifestMediaType,
  type MediaType,
  mediaTypes,
} from "./media-type.ts";
export { formatPlatform, type Platform, parsePlatform, platformOfNode, platformsMatch } from "./platform.ts";
export { DocumentReader, maxConfigBytes, maxManifestBytes, parseForeignJson } from "./read-document.ts";
export {
  type AnyReference,
  familiarName,
  formatFamiliar,
  formatReference,
  parseAnyReference,
  parseReference,
  type Reference,
  repositoryOf,
  withDefaultTag,
} from "./reference.ts";
export type * from "./runtime-spec.ts";
export { formatRuntimeSpec } from "./runtime-spec.ts";
export { parseSignal } from "./signal.ts";
