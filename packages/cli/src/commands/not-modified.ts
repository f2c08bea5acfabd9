import { Fault } from "@hawser/base";

/** Swallow the engine's 304 (already started, already stopped): the user has what was wanted. */
export function ignoreNotModified(error: unknown): void {
  if (!Fault.is(error, "not-modified")) throw error;
}
