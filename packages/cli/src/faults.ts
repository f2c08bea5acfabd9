import { defineFaults } from "@hawser/base";

export const cliFaults = defineFaults({
  VALUE_INVALID: ["invalid-argument", (words: string) => words],
  /** Words, then a blank line, how to call the command, where to read more: Docker's layout. */
  FLAG_INVALID: ["invalid-argument", usageMessage],
  ARGUMENTS_INVALID: ["invalid-argument", usageMessage],
  COMMAND_UNKNOWN: ["invalid-argument", (words: string) => words],
  OPTIONS_CONFLICT: ["invalid-argument", (words: string) => words],
  PORT_NOT_PUBLISHED: [
    "not-found",
    (port: string, container: string) => `Error: No public port '${port}' published for ${container}`,
  ],
  HOST_UNRESOLVED: [
    "invalid-argument",
    (why: string) => `Failed to initialize: unable to resolve docker endpoint: ${why}`,
  ],
  CONTEXT_CONFLICT: [
    "invalid-argument",
    () => "conflicting options: cannot specify both --host and --context",
  ],
  CONTEXT_NOT_FOUND: [
    "not-found",
    (name: string, why: string) => `context "${name}": context not found: ${why}`,
  ],
  CONTEXT_UNREADABLE: [
    "data-loss",
    (name: string, path: string) => `Cannot use context "${name}": ${path} is not what it should be`,
  ],
  CONTEXT_ABSENT: ["not-found", (name: string) => `context "${name}" does not exist`],
  ARCHIVE_INVALID: [
    "invalid-argument",
    (name: string, why: string) => `Cannot import a context from ${name}: ${why}`,
  ],
  CONTEXT_EXISTS: ["already-exists", (name: string) => `context "${name}" already exists`],
  CONTEXT_IN_USE: ["conflict", (name: string) => `context "${name}" is in use, set -f flag to force remove`],
  ENGINE_ABSENT: ["unavailable", (message: string) => message],
  ENGINE_FORBIDDEN: ["permission-denied", (message: string) => message],
  ENGINE_NOT_STARTED: [
    "unavailable",
    (why: string, log: string) => `Cannot start the Hawser engine: ${why}; its log is ${log}`,
  ],
  RELAY_BROKEN: ["invalid-argument", (why: string) => `Cannot serve a stub: it sent ${why}`],
  FILE_UNREADABLE: ["not-found", (words: string) => words],
  /** The user left; what runs in the container goes on. */
  DETACHED: ["canceled", () => "read escape sequence"],
  OBJECT_NOT_FOUND: ["not-found", (name: string) => `Error: No such object: ${name}`],
  NOT_A_TERMINAL: ["conflict", (words: string) => words],
  SESSION_CALL: ["invalid-argument", (what: string) => `the client of this build does not serve ${what}`],
  SECRET_ABSENT: ["not-found", (id: string) => `secret ${id}: not found`],
  AGENT_ABSENT: ["unavailable", (id: string, why: string) => `Cannot lend the ssh agent ${id}: ${why}`],
  STREAM_FAILED: ["internal", (words: string) => words],
  CREDENTIAL_HELPER: [
    "internal",
    (name: string, why: string) => `error getting credentials - err: docker-credential-${name}: ${why}`,
  ],
  SETTINGS_UNREADABLE: [
    "conflict",
    (path: string) => `Cannot change ${path}: it is not the JSON that it should be; mend or remove it`,
  ],
  PROMPT_LEFT: ["canceled", () => "canceled"],
  COPY_REFUSED: ["invalid-argument", (words: string) => words],
  OUTPUT_IS_TERMINAL: ["conflict", (words: string) => words],
});

function usageMessage(words: string, usage: string, hint: string): string {
  return `${words}\n\nUsage:  ${usage}\n\n${hint}`;
}
