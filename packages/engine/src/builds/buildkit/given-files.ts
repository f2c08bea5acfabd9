import type { RegistryAccess } from "@hawser/registry/client";
import type { HostConfig } from "@hawser/runtime";
import type { BuildSources } from "../build-sources.ts";
import type { LocalFolder } from "../local-folder.ts";

/** What Hawser's own client gives with its request, where others are asked for it while the build goes on. */
export interface GivenFiles {
  /** The Dockerfile; absent: it is in the context. */
  readonly source?: { readonly filename: string; readonly text: string };
  /** When its files were committed, where that is known. */
  readonly committedAtMs?: number;
  /** Told of what is not with the user. */
  readonly sources: BuildSources;
  /** Its folders, by their names in the build. */
  readonly folders: Readonly<Record<string, GivenFolder>>;
  /** Of the processes of `RUN`. */
  readonly limits: Partial<HostConfig>;
  /** What images are asked for with. @param domain of the registry */
  readonly access: (domain: string) => RegistryAccess;
}

/** A folder that the engine sees, too, or an archive that the client's session sends under a name; empty: nothing is in it. */
export type GivenFolder = Partial<LocalFolder> & { readonly upload?: string };
