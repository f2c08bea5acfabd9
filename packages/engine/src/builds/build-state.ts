import type { ChainId } from "@hawser/oci";
import type { BuildContext } from "./build-context.ts";

/** What a step of a build works on and gives. */
export type BuildState =
  /** A file system: the topmost of its layers; absent: it is empty. */
  | { readonly kind: "files"; readonly chainId?: ChainId }
  /** The user's files. */
  | { readonly kind: "context"; readonly context: BuildContext }
  /** The results of a process that has several. */
  | { readonly kind: "several"; readonly states: readonly BuildState[] };

/** What a result depends on, as text. */
export function identityOf(state: BuildState): string {
  switch (state.kind) {
    case "files":
      return state.chainId ?? "scratch";
    case "context":
      return "context";
    case "several":
      return state.states.map(identityOf).join();
  }
}
