import { createHash } from "node:crypto";
import { type Digest, parseDigest } from "./digest.ts";

declare const chainIdBrand: unique symbol;

/** Names a stack of layers, the lowest included: equal chain ids, equal file systems. */
export type ChainId = Digest & { readonly [chainIdBrand]: true };

/** A chain id as it was stored. @throws {Fault} `invalid-argument` */
export function parseChainId(text: string): ChainId {
  return parseDigest(text) as ChainId;
}

/** image-spec, config, "Layer ChainID": the chain id of `diffId` on top of `parent`. */
export function chainIdOf(diffId: Digest, parent: ChainId | undefined): ChainId {
  if (parent === undefined) return parseChainId(diffId);
  return parseChainId(`sha256:${createHash("sha256").update(`${parent} ${diffId}`).digest("hex")}`);
}

/** The chain ids of all layers, lowest first. */
export function chainIdsOf(diffIds: readonly Digest[]): readonly ChainId[] {
  const chain: ChainId[] = [];
  for (const diffId of diffIds) chain.push(chainIdOf(diffId, chain.at(-1)));
  return chain;
}
