import type { Fault } from "@hawser/base";
import { registryFaults } from "./faults.ts";

/** A refusal: what was asked (`Get "https://host/v2/"`), and what came. */
interface Refusal {
  readonly what: string;
  readonly status: number;
  readonly body: string;
  /** `WWW-Authenticate` */
  readonly challenges?: string | undefined;
}

/** What a registry's refusal means. distribution-spec, "Error Codes"; without a body that says more, the status alone. */
export function faultOfAnswer({ what, status, body, challenges = "" }: Refusal): Fault {
  // The token is good, but not for this.
  if (/\berror="insufficient_scope"/.test(challenges.slice(0, 8192)))
    return registryFaults.DENIED(deniedWords);
  const error = readError(body);
  if (error === undefined && body === "" && status === 401) {
    return registryFaults.UNAUTHORIZED("unauthorized: authentication required");
  }
  if (error === undefined && body === "" && status === 403) return registryFaults.DENIED(deniedWords);
  const code = error?.code ?? codeOfStatus[status] ?? "";
  const words =
    error === undefined
      ? `${what}: unexpected status code ${status}${shown(body)}`
      : `${error.code.toLowerCase().replaceAll("_", " ")}: ${error.message}`;
  switch (code) {
    case "MANIFEST_UNKNOWN":
      return registryFaults.MANIFEST_UNKNOWN(words);
    case "NAME_UNKNOWN":
    case "NAME_INVALID":
      return registryFaults.NAME_UNKNOWN(words);
    case "BLOB_UNKNOWN":
    case "BLOB_UPLOAD_UNKNOWN":
      return registryFaults.BLOB_UNKNOWN(words);
    case "DENIED":
      return registryFaults.DENIED(words);
    case "UNAUTHORIZED":
      return registryFaults.UNAUTHORIZED(words);
    case "TOOMANYREQUESTS":
      return registryFaults.TOO_MANY_REQUESTS(words);
    case "UNSUPPORTED":
      return registryFaults.UNSUPPORTED(words);
    default:
      // A proxy that refuses a size has no words of a registry: through it pieces may go.
      if (status === 413 && error !== undefined) return registryFaults.REGISTRY_TOO_SMALL(words);
      // RFC 4918, 11.5: a later try needs someone who makes space first.
      if (status === 507) return registryFaults.REGISTRY_FULL(words);
      return status >= 500 ? registryFaults.REGISTRY_FAILED(words) : registryFaults.REGISTRY_REFUSED(words);
  }
}

/** Docker's words. */
const deniedWords = "denied: requested access to the resource is denied";

const codeOfStatus: Readonly<Record<number, string>> = {
  401: "UNAUTHORIZED",
  403: "DENIED",
  404: "MANIFEST_UNKNOWN",
  429: "TOOMANYREQUESTS",
};

interface RegistryError {
  readonly code: string;
  readonly message: string;
}

function readError(body: string): RegistryError | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  const errors = typeof value === "object" && value !== null && "errors" in value ? value.errors : undefined;
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  if (typeof first !== "object" || first === null || !("code" in first)) return undefined;
  const { code } = first;
  if (typeof code !== "string" || !/^[A-Z0-9_]{1,64}$/.test(code)) return undefined;
  const message = "message" in first && typeof first.message === "string" ? first.message : "";
  return { code, message: printable(message) };
}

function shown(body: string): string {
  const text = printable(body).trim();
  return text === "" ? "" : `: ${text}`;
}

/** Text of a stranger for a terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must go
  return text.slice(0, 500).replace(/[\x00-\x1f\x7f-\x9f]+/g, " ");
}
