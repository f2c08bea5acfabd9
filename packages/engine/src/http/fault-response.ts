import { Fault, type FaultKind, type Logger } from "@hawser/base";
import type { ApiResponse } from "./response.ts";

/** The one place where kinds of faults become HTTP statuses, as moby maps its own (`api/server/httpstatus`). */
const statusOfKind = {
  "invalid-argument": 400,
  unauthenticated: 401,
  "permission-denied": 403,
  "not-found": 404,
  "already-exists": 409,
  conflict: 409,
  "not-modified": 304,
  "resource-exhausted": 500,
  canceled: 499,
  "deadline-exceeded": 504,
  unavailable: 503,
  "not-implemented": 501,
  "data-loss": 500,
  internal: 500,
} as const satisfies Record<FaultKind, number>;

/**
 * The status for a fault, and what the client is told. An internal fault keeps its text, as Docker's does: the people
 * who can reach the socket are the ones who must act on it.
 */
export function describeFault(fault: Fault): { readonly status: number; readonly message: string } {
  const status = fault.code === "HEAD_TOO_LARGE" ? 431 : statusOfKind[fault.kind];
  return { status, message: fault.message };
}

/**
 * Answer a request that failed, if it can still be answered. Faults of ours are logged here, once, with their stack; the
 * client's own are not news.
 */
export function respondWithFault(
  response: ApiResponse,
  thrown: unknown,
  { log, what }: { readonly log: Logger; readonly what: string },
): void {
  const fault = Fault.from(thrown);
  const { status, message } = describeFault(fault);
  if (status >= 500 && fault.kind !== "not-implemented") log.error("request failed", { what, error: fault });
  if (response.started) return;
  if (status === 304) response.sendEmpty(status);
  // Before API 1.24 errors were plain text.
  else if (fault.code === "CLIENT_TOO_OLD") response.sendText(status, `${message}\n`);
  else response.sendJson(status, { message });
}
