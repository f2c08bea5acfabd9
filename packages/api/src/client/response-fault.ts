import type { Fault } from "@hawser/base";
import { clientFaults } from "./client-faults.ts";

/**
 * A refusal of the engine as a fault: the status gives the kind, the body (`{"message": …}`, or plain text as before
 * API 1.24) the words, with Docker's `Error response from daemon: ` before them.
 */
export function faultFromResponse(
  status: number,
  options: { readonly reason: string; readonly body: string },
): Fault {
  return makerFor(status)(messageOf(options.body) || `${status} ${options.reason}`.trim());
}

function makerFor(status: number): (message: string) => Fault {
  switch (status) {
    case 304:
      return clientFaults.ENGINE_NOT_MODIFIED;
    case 400:
      return clientFaults.ENGINE_INVALID_ARGUMENT;
    case 401:
      return clientFaults.ENGINE_UNAUTHENTICATED;
    case 403:
      return clientFaults.ENGINE_PERMISSION_DENIED;
    case 404:
      return clientFaults.ENGINE_NOT_FOUND;
    case 409:
      return clientFaults.ENGINE_CONFLICT;
    case 501:
      return clientFaults.ENGINE_NOT_IMPLEMENTED;
    case 503:
      return clientFaults.ENGINE_UNAVAILABLE;
    default:
      return status >= 400 && status < 500
        ? clientFaults.ENGINE_INVALID_ARGUMENT
        : clientFaults.ENGINE_FAILED;
  }
}

function messageOf(body: string): string {
  try {
    const value: unknown = JSON.parse(body);
    if (
      typeof value === "object" &&
      value !== null &&
      "message" in value &&
      typeof value.message === "string"
    ) {
      return value.message.trim();
    }
  } catch {
    // not JSON: the words themselves
  }
  return body.trim();
}
