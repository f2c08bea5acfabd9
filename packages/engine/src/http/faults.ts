import { defineFaults } from "@hawser/base";

/** What can be wrong with a request before any service sees it. Docker's own words where its clients show them. */
export const httpFaults = defineFaults({
  PAGE_NOT_FOUND: ["not-found", () => "page not found"],
  REQUEST_MALFORMED: ["invalid-argument", (why: string) => `malformed HTTP request: ${why}`],
  HEAD_TOO_LARGE: [
    "resource-exhausted",
    (limit: number) => `malformed HTTP request: head is larger than ${limit} bytes`,
  ],
  BODY_INCOMPLETE: ["canceled", () => "request body ended too early: unexpected EOF"],
  BODY_TOO_LARGE: ["invalid-argument", (limit: number) => `request body is larger than ${limit} bytes`],
  CLIENT_GONE: ["canceled", () => "client went away"],
  ENGINE_STOPS: ["unavailable", () => "engine is stopping"],
  CLIENT_TOO_NEW: [
    "invalid-argument",
    (version: string, newest: string) =>
      `client version ${version} is too new. Maximum supported API version is ${newest}`,
  ],
  CLIENT_TOO_OLD: [
    "invalid-argument",
    (version: string, oldest: string) =>
      `client version ${version} is too old. Minimum supported API version is ${oldest}, please upgrade your client to a newer version`,
  ],
  CONTENT_TYPE_UNSUPPORTED: [
    "invalid-argument",
    (type: string) =>
      type === ""
        ? "malformed Content-Type header (): mime: no media type"
        : `unsupported Content-Type header (${type}): must be 'application/json'`,
  ],
  JSON_EMPTY: ["invalid-argument", () => "invalid JSON: got EOF while reading request body"],
  JSON_INVALID: ["invalid-argument", (why: string) => `invalid JSON: ${why}`],
  JSON_TYPE: [
    "invalid-argument",
    (found: string, field: string, wanted: string) =>
      `json: cannot unmarshal ${found} into Go struct field ${field} of type ${wanted}`,
  ],
  JSON_ROOT_TYPE: [
    "invalid-argument",
    (found: string, wanted: string) => `json: cannot unmarshal ${found} into Go value of type ${wanted}`,
  ],
  JSON_BEHIND: ["invalid-argument", () => "unexpected content after JSON"],
  QUERY_JSON: [
    "invalid-argument",
    (name: string) => `invalid query parameter ${name}: a JSON object of strings was wanted`,
  ],
  PLATFORM_JSON: ["invalid-argument", () => "failed to parse platform: it is no JSON"],
  PLATFORM_PARTIAL: [
    "invalid-argument",
    () => "optional platform fields provided, but OS and Architecture are missing",
  ],
  PLATFORM_INCOMPLETE: ["invalid-argument", () => "both OS and Architecture must be provided"],
  PLATFORM_MULTIPLE: ["invalid-argument", () => "multiple platform parameters not supported"],
  MANIFESTS_AND_PLATFORM: [
    "invalid-argument",
    () => "conflicting options: manifests and platform options cannot both be set",
  ],
  NOT_SWARM_MANAGER: [
    "unavailable",
    () =>
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  ],
  NOT_IMPLEMENTED: ["not-implemented", (what: string) => `${what} is not available in this version`],
  NAME_EMPTY: ["invalid-argument", () => 'invalid name or ID supplied: ""'],
  USAGE_TYPE_UNKNOWN: ["invalid-argument", (type: string) => `unknown object type: ${type}`],
  PATH_EMPTY: ["invalid-argument", () => "bad parameter: path cannot be empty"],
  IMPORT_SOURCE: [
    "invalid-argument",
    () => "Cannot create an image: one of fromImage and fromSrc was wanted",
  ],
  MOUNT_TYPE_UNKNOWN: [
    "invalid-argument",
    (type: string) => `invalid mount config for type "${type}": mount type unknown`,
  ],
  RESTART_POLICY: ["invalid-argument", (why: string) => `invalid restart policy: ${why}`],
  TIMESTAMP_INVALID: [
    "invalid-argument",
    (text: string) => `invalid timestamp "${text}": seconds since 1970 or RFC 3339 were wanted`,
  ],
  SINCE_AFTER_UNTIL: [
    "invalid-argument",
    (since: string, until: string) => `\`since\` time (${since}) cannot be after \`until\` time (${until})`,
  ],
  DETACH_KEYS_INVALID: ["invalid-argument", (key: string) => `Invalid detach keys (${key}) provided`],
  START_BODY: [
    "invalid-argument",
    () =>
      "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
  ],
  TTY_SIZE: [
    "invalid-argument",
    (side: string, value: string) => {
      const why = /^-?\d+$/.test(value) ? "value out of range" : "invalid syntax";
      return `invalid resize ${side} ${JSON.stringify(value)}: ${why}`;
    },
  ],
  ISOLATION: [
    "invalid-argument",
    (isolation: string) => `invalid isolation (${isolation}): linux only supports 'default'`,
  ],
  EXEC_DETACH_KEYS: ["invalid-argument", (key: string) => `Invalid escape keys (${key}) provided`],
  LOG_STREAM_MISSING: ["invalid-argument", () => "Bad parameters: you must choose at least one stream"],
  STATS_STREAM_ONCE: ["invalid-argument", () => "cannot have stream=true and one-shot=true"],
  BUILD_PRUNE: ["invalid-argument", (why: string) => `failed to prune build cache: ${why}`],
  BUILD_PRUNE_BYTES: [
    "invalid-argument",
    (name: string, { text, why }: { readonly text: string; readonly why: string }) =>
      `${name} is in bytes and expects an integer, got ${text}: ${why}`,
  ],
  FILTER_SINGLE: ["invalid-argument", () => "filters expect only one value"],
  FILTERS_CONFLICT: [
    "invalid-argument",
    (one: string, other: string) => `conflicting filters: "${one}" and "${other}"`,
  ],
  FILTER_MOMENT: [
    "invalid-argument",
    (name: string, why: string) => `"${name}" filter expects a duration (e.g., '24h') or a timestamp: ${why}`,
  ],
  UNTIL_INVALID: [
    "invalid-argument",
    (text: string) => `failed to parse value as time or duration: ${JSON.stringify(text)}`,
  ],
  QUERY_NUMBER: [
    "invalid-argument",
    (value: string) => `strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`,
  ],
  ORIGIN_REFUSED: [
    "permission-denied",
    (origin: string) => `requests from web pages are refused (Origin: ${origin})`,
  ],
  NO_ANSWER: ["internal", (what: string) => `Cannot answer ${what}: its handler ended without an answer`],
  HIJACK_TOO_LATE: ["internal", () => "connection was already answered or taken over"],
  ADDRESS_INVALID: [
    "invalid-argument",
    (address: string) => `Cannot listen on "${address}": unix:///path, tcp://host:port or fd:// was wanted`,
  ],
  PLAIN_TCP: [
    "invalid-argument",
    (address: string) =>
      `Cannot listen on "${address}" without encryption: it is a TCP socket; --tlsverify was wanted, or --tls=false to have it so`,
  ],
  ADDRESS_IN_USE: [
    "unavailable",
    (address: string) => `Cannot listen on "${address}": another engine answers there`,
  ],
  SOCKET_PATH_TAKEN: [
    "conflict",
    (path: string) => `Cannot listen on "unix://${path}": something that is not a socket has that name`,
  ],
});
