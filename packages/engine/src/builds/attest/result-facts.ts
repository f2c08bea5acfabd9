import type { BuildPlan } from "@hawser/build";
import type { Definition } from "@hawser/build/grpc";
import type { BuildSources } from "../build-sources.ts";

/** What is known of how a result was made. */
export interface ResultFacts {
  /** What was asked of the front end; absent: the client sent a graph of its own. */
  readonly request?: {
    readonly frontend: string;
    readonly attributes: Readonly<Record<string, string>>;
    /** Where its files are, when not with the client. */
    readonly contextUrl?: string;
    /** The client's folder that it calls `context`. */
    readonly contextName: string;
    readonly dockerfileName: string;
    readonly filename: string;
    readonly text: string;
  };
  readonly plan?: Pick<BuildPlan, "root"> & Partial<Pick<BuildPlan, "steps">>;
  readonly definition?: Definition;
  /** What was used that is not with the user. */
  readonly sources: readonly BuildSources[];
  /** Of results that it was made of. */
  readonly inputs: readonly ResultFacts[];
}
