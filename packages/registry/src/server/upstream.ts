import type { Credentials, Repository } from "../client/index.ts";

/** What a repository is copied from. */
export type UpstreamRepository = Pick<
  Repository,
  "getManifest" | "findDigest" | "statBlob" | "fetchBlob" | "listTags" | "listReferrers"
>;

/** Where the content of some repositories comes from once somebody has wanted it. */
export type Upstream = RegistryUpstream | ArchivesUpstream;

/** Another registry. */
export interface RegistryUpstream {
  /** Its repositories are below this one here: `hub` for `hub/library/busybox`. Empty: they are called the same, and there is no other. */
  readonly prefix: string;
  /** As references name it: `docker.io`, `example.org:5000`. */
  readonly registry: string;
  readonly credentials?: Credentials;
}

/** A folder on this machine: `<folder>/busybox.tar` is the repository `<prefix>/busybox`. */
export interface ArchivesUpstream {
  readonly prefix: string;
  readonly archives: string;
}

/** What an upstream is called when it fails. */
export function upstreamName(upstream: Upstream): string {
  return "archives" in upstream ? upstream.archives : upstream.registry;
}
