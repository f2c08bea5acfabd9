import { errnoOf, Fault, type FaultKind } from "@hawser/base";
import { serverFaults } from "./faults.ts";

const statuses = {
  "invalid-argument": 400,
  "not-found": 404,
  "already-exists": 409,
  conflict: 416,
  "not-modified": 304,
  unauthenticated: 401,
  "permission-denied": 403,
  unavailable: 503,
  "resource-exhausted": 413,
  canceled: 499,
  "deadline-exceeded": 408,
  "not-implemented": 405,
  "data-loss": 500,
  internal: 500,
} as const satisfies Record<FaultKind, number>;

/** By codes, where that of the kind does not fit. */
const ownStatuses: Readonly<Record<string, number>> = { DISK_FULL: 507, TOOMANYREQUESTS: 429 };

/** Codes of distribution-spec; what has another one is told under the nearest of them. */
const codes: Readonly<Record<string, string>> = {
  FORM_TOO_LARGE: "SIZE_INVALID",
  DISK_FULL: "UNAVAILABLE",
  BUCKET_TAKEN: "UNAVAILABLE",
  BUCKET_UNUSABLE: "UNAVAILABLE",
  UPSTREAM_DENIED: "DENIED",
  UPSTREAM_UNAVAILABLE: "UNAVAILABLE",
  GRANT_INVALID: "UNSUPPORTED",
  BLOB_UPLOAD_RANGE: "BLOB_UPLOAD_INVALID",
  MANIFEST_TOO_LARGE: "MANIFEST_INVALID",
  UPLOAD_TOO_LARGE: "SIZE_INVALID",
  TAG_INVALID: "MANIFEST_INVALID",
  PAGE_INVALID: "UNSUPPORTED",
  RANGE_INVALID: "BLOB_UNKNOWN",
};

export interface ErrorResponse {
  readonly status: number;
  readonly body: string;
  /** Someone must look at it: nobody outside is told more than that it happened. */
  readonly isInternal: boolean;
}

/** Of files and of SQLite (13: SQLITE_FULL). */
export function isDiskFull(error: unknown): boolean {
  const errno = errnoOf(error);
  if (errno !== "ERR_SQLITE_ERROR") return errno === "ENOSPC" || errno === "EDQUOT";
  return error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === 13;
}

/** distribution-spec, "Error Codes". */
export function errorResponse(error: unknown): ErrorResponse {
  const fault = isDiskFull(error) ? serverFaults.DISK_FULL() : Fault.from(error);
  const status = ownStatuses[fault.code] ?? statuses[fault.kind];
  const isOfStorage = fault.code.startsWith("BUCKET_");
  const isInternal = status === 500 || isOfStorage;
  const code = status === 500 ? "UNKNOWN" : (codes[fault.code] ?? fault.code);
  const words = isOfStorage ? "the registry's storage cannot be used" : "internal error";
  const message = isInternal ? words : fault.message;
  return { status, isInternal, body: `${JSON.stringify({ errors: [{ code, message }] })}\n` };
}
