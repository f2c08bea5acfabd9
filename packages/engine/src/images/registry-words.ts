import { Fault } from "@hawser/base";
import { familiarName, formatFamiliar, type Reference } from "@hawser/oci";
import { imageFaults } from "./faults.ts";

/** What a pull that failed is told as: the registry's words, with Docker's before them. */
export function pullFault(error: unknown, reference: Reference): unknown {
  if (!Fault.is(error)) return error;
  const words = error.message;
  switch (error.code) {
    case "MANIFEST_UNKNOWN":
      return imageFaults.MANIFEST_NOT_FOUND(formatFamiliar(reference), words).because(error);
    case "NAME_UNKNOWN":
      return imageFaults.REPOSITORY_NOT_FOUND(familiarName(reference), words).because(error);
    case "DENIED":
      return imageFaults.PULL_DENIED(familiarName(reference), words).because(error);
    default:
      return registryFault(error);
  }
}

/** What a registry's refusal to let someone in is told as. */
export function registryFault(error: unknown): unknown {
  if (!Fault.is(error, "unauthenticated")) return error;
  return imageFaults.REGISTRY_UNAUTHORIZED(error.message).because(error);
}
