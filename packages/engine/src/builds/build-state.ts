import type { ChainId } from "@hawser/oci";
import type { BuildContext } from "./build-context.ts";

/** What a step of a build works on and gives. */
export type BuildState =
  /** A file system: the topmost of its layers; absent: it is empty. */
  | { readonly kind: "files"; readonly chainId?: ChainId }
  /** The user's files. */
  | { readonly kind: "context"; readonly context: BuildContext };

/** What a result depends on, as text. */
export function identityOf(state: BuildState): string {
  return state.kind === "files" ? (state.chainId ?? "scratch") : "context";
}
