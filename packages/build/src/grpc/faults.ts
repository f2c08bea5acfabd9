import { defineFaults, type Fault } from "@hawser/base";

export const protocolFaults = defineFaults({
  SESSION_MISSING: ["not-found", (id: string) => `no active session for ${id}: context deadline exceeded`],
  SESSION_TAKEN: ["conflict", (id: string) => `session ${id} already exists`],
  SESSION_CLOSED: ["unavailable", () => "the client has ended its session"],
  SESSION_LACKS: ["not-found", (what: string) => `the client gives no ${what} in this session`],
  SESSION_HAS: ["conflict", (words: string) => `the client has it already: ${words}`],
  CALL_FAILED: [
    "unavailable",
    (path: string, words: string) => `Cannot ask the client for ${path}: ${words}`,
  ],
  MESSAGE_TOO_LARGE: [
    "invalid-argument",
    (maxBytes: number) => `a message has more than ${maxBytes} bytes, which is the limit`,
  ],
  MESSAGE_COMPRESSED: ["invalid-argument", () => "a message is compressed, which was not agreed on"],
  TRANSFER_FAILED: ["unavailable", (name: string, words: string) => `failed to load ${name}: ${words}`],
  TRANSFER_INVALID: ["invalid-argument", (name: string, words: string) => `Cannot take ${name}: ${words}`],
  FILE_CHANGED: [
    "conflict",
    (path: string) => `${path} has changed while it was sent: build again when nothing writes to it`,
  ],
  BUILD_MISSING: ["not-found", (id: string) => `no such job ${id}`],
  BUILD_TAKEN: ["conflict", (id: string) => `job ${id} exists already`],
  RECORD_MISSING: ["not-found", (id: string) => `no record of a build has ${JSON.stringify(id)}`],
  RESULT_MISSING: ["not-found", (id: string) => `no such result ${JSON.stringify(id)}`],
  CONTAINER_TAKEN: ["conflict", (id: string) => `container ${id} exists already`],
  CONTAINER_MISSING: ["not-found", (id: string) => `container details for ${id} not found`],
  PROCESS_TAKEN: ["conflict", (id: string) => `process ${id} exists already`],
  TOO_MANY: [
    "resource-exhausted",
    (what: string, most: number) => `a front end has more than ${most} ${what}, which is the limit`,
  ],
  FRONTEND_TOO_DEEP: [
    "invalid-argument",
    (most: number) => `a front end uses another one, which uses another one, more than ${most} deep`,
  ],
  FRONTEND_ENDED: [
    "invalid-argument",
    (source: string, code: number) => `front end ${source} did not complete successfully: exit code: ${code}`,
  ],
  FRONTEND_SILENT: ["invalid-argument", (source: string) => `front end ${source} ended without a result`],
  FRONTEND_BROKEN: [
    "invalid-argument",
    (source: string) =>
      `front end ${source} has broken its connection: it speaks no gRPC on its standard output`,
  ],
  FRONTEND_IDLE: [
    "deadline-exceeded",
    (source: string, seconds: number) =>
      `front end ${source} has asked for nothing for ${seconds} s, and was ended`,
  ],
  FRONTEND_LACKS: ["not-implemented", (name: string) => `unsupported frontend capability ${name}`],
  CALL_UNKNOWN: ["not-implemented", (what: string) => `${what} is not available in this version`],
  ENTITLEMENT_UNKNOWN: ["invalid-argument", (name: string) => `unknown entitlement ${JSON.stringify(name)}`],
  FRONTEND_FAILED: ["invalid-argument", (words: string) => words],
});

/** gRPC's status codes as kinds. */
export function faultOfStatus(code: number, path: string, words: string): Fault {
  switch (code) {
    case 5:
      return protocolFaults.SESSION_LACKS(words === "" ? path : words);
    case 6:
      return protocolFaults.SESSION_HAS(words === "" ? path : words);
    default:
      return protocolFaults.CALL_FAILED(path, words === "" ? `status ${code}` : words);
  }
}
