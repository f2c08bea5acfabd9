import type { Duplex } from "node:stream";
import type { LocalOp, OpRun, Vertex } from "@hawser/build";
import type { WebClient } from "@hawser/registry/client";
import type { ContainerConfig, HostConfig } from "@hawser/runtime";
import type { BuildCache, ImageStore } from "@hawser/store";
import type { Collaborators } from "../containers/collaborators.ts";
import type { BuildContext } from "./build-context.ts";
import type { BuildSources } from "./build-sources.ts";
import type { BuildState } from "./build-state.ts";
import type { ImportedResults } from "./cache/imported-results.ts";
import type { CacheMounts } from "./cache-mounts.ts";

export interface OpRunnerParts {
  readonly collaborators: Collaborators;
  readonly images: ImageStore;
  readonly cache: BuildCache;
  readonly defaults: { readonly config: ContainerConfig; readonly hostConfig: HostConfig };
  readonly web: WebClient;
  /** Of processes. */
  readonly cacheMounts: CacheMounts;
  /** Folder of builds: what a build needs while it goes, among others. */
  readonly folder: string;
}

/** What whoever asks for a build gives it. Each is asked for when it is needed. */
export interface BuildFiles {
  /** Files of the user's, by the name that the plan has for them, or a part of them. */
  folder(wanted: Omit<LocalOp, "kind">): Promise<BuildContext>;
  /** Files of a repository. */
  repository(reference: string, options: { readonly keepsGitDir: boolean }): Promise<BuildContext>;
  /** `undefined`: there is none of that name. */
  secret(id: string): Promise<Uint8Array | undefined>;
  /** A connection to an ssh agent of the user's; `undefined`: there is none of that name. */
  agent(id: string): Promise<Duplex | undefined>;
}

/** What of a build its ops need. */
export interface BuildScope {
  readonly files: BuildFiles;
  readonly sources?: BuildSources;
  /** No file of a vertex' result is younger. */
  readonly epochOf: (vertex: Vertex) => number;
  /** Solve a graph that a step has made: `pb.Definition`. */
  readonly solveDefinition: (bytes: Uint8Array, run: OpRun) => Promise<BuildState>;
  readonly limits: Partial<HostConfig>;
  readonly onContainer: (vertex: Vertex, id: string) => void;
  /** Layers of the build's results, kept from collection until the build is over. */
  readonly holds: DisposableStack;
  /** Results of other builders. */
  readonly imported?: ImportedResults | undefined;
}

/** An op that is to be done. */
export interface OpCall {
  readonly vertex: Vertex;
  readonly inputs: readonly (BuildState | undefined)[];
  readonly run: OpRun & { readonly key?: string };
}
