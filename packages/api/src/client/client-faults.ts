import { defineFaults } from "@hawser/base";

export const clientFaults = defineFaults({
  ENDPOINT_INVALID: ["invalid-argument", (text: string) => `invalid bind address format: ${text}`],
  ENDPOINT_UNSUPPORTED: [
    "not-implemented",
    (text: string, scheme: string) => `Cannot connect to ${text}: "${scheme}" addresses are not supported`,
  ],
  ENGINE_UNREACHABLE: [
    "unavailable",
    (endpoint: string) => `Cannot connect to the Hawser engine at ${endpoint}. Is the Hawser engine running?`,
  ],
  CONNECTION_LOST: [
    "unavailable",
    (endpoint: string, why: string) => `error during connect: the engine at ${endpoint} ${why}`,
  ],
  RESPONSE_INVALID: [
    "data-loss",
    (what: string) => `Cannot read the engine's response: ${what}; HTTP/1.1 was wanted`,
  ],
  BODY_INVALID: ["data-loss", (what: string) => `Cannot read the engine's reply: ${what}`],
  NOT_UPGRADED: ["unavailable", (status: number) => `unable to upgrade to tcp, received ${status}`],
  ENGINE_INVALID_ARGUMENT: ["invalid-argument", engineSays],
  ENGINE_UNAUTHENTICATED: ["unauthenticated", engineSays],
  ENGINE_PERMISSION_DENIED: ["permission-denied", engineSays],
  ENGINE_NOT_FOUND: ["not-found", engineSays],
  ENGINE_CONFLICT: ["conflict", engineSays],
  ENGINE_NOT_MODIFIED: ["not-modified", engineSays],
  ENGINE_NOT_IMPLEMENTED: ["not-implemented", engineSays],
  ENGINE_UNAVAILABLE: ["unavailable", engineSays],
  ENGINE_FAILED: ["internal", engineSays],
});

function engineSays(message: string): string {
  return `Error response from daemon: ${message}`;
}
