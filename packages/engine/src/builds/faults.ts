import { defineFaults } from "@hawser/base";

/** Docker's or BuildKit's words where there are such. */
export const buildFaults = defineFaults({
  DOCKERFILE_MISSING: ["invalid-argument", (path: string) => `Cannot locate specified Dockerfile: ${path}`],
  DOCKERFILE_UNREAD: [
    "invalid-argument",
    (path: string) => `failed to read dockerfile: open ${path}: no such file or directory`,
  ],
  DOCKERFILE_EMPTY: ["invalid-argument", (path: string) => `the Dockerfile (${path}) cannot be empty`],
  CONTEXT_FILE_MISSING: [
    "invalid-argument",
    (path: string) =>
      `COPY failed: file not found in build context or excluded by .dockerignore: stat ${path}: file does not exist`,
  ],
  SOURCE_MISSING: [
    "invalid-argument",
    (path: string) => `COPY failed: stat ${path.replace(/^\//, "")}: file does not exist`,
  ],
  MOUNT_SOURCE_MISSING: ["invalid-argument", (path: string) => `open ${path}: no such file or directory`],
  TARGET_NO_FOLDER: ["invalid-argument", (path: string) => `cannot copy to non-directory: ${path}`],
  FOLDER_BLOCKED: ["invalid-argument", (path: string) => `mkdir ${path}: not a directory`],
  SOURCE_NO_FOLDER: [
    "invalid-argument",
    (path: string) => `a cache cannot begin with ${JSON.stringify(path)}, which is not a directory`,
  ],
  FILE_MISSING: ["invalid-argument", (path: string) => `${JSON.stringify(path)}: not found`],
  FILE_ACTION: [
    "invalid-argument",
    (what: string, path: string, why: string) => `failed to ${what} ${path}: ${why}`,
  ],
  PATTERN_INVALID: ["invalid-argument", (text: string) => `invalid patterns: ${text}`],
  PROCESS_FAILED: [
    "invalid-argument",
    (command: string, exitCode: number) => `The command '${command}' returned a non-zero code: ${exitCode}`,
  ],
  EMULATOR_MISSING: [
    "invalid-argument",
    (command: string, platform: string) =>
      `Cannot run ${JSON.stringify(command)}: it is a program for ${platform}, and this machine has no emulator for those ` +
      "(install qemu-user-static and binfmt-support, or run what they register in binfmt_misc)",
  ],
  PLATFORMS_ONE_IMAGE: [
    "invalid-argument",
    () => "docker exporter does not currently support exporting manifest lists: use type=oci, or push",
  ],
  DOWNLOAD_FAILED: ["unavailable", (url: string, why: string) => `ADD failed: cannot get ${url}: ${why}`],
  DOWNLOAD_MISMATCH: [
    "data-loss",
    (url: string, wanted: string, got: string) =>
      `ADD failed: digest mismatch of ${url}: ${got}, expected ${wanted}`,
  ],
  QUERY_UNKNOWN: ["invalid-argument", (name: string) => `unexpected query ${JSON.stringify(name)}`],
  COMMIT_OTHER: [
    "conflict",
    (wanted: string, found: string) => `expected checksum to match ${wanted}, got ${found}`,
  ],
  CHECKSUM_INVALID: [
    "invalid-argument",
    (text: string) => `invalid checksum ${JSON.stringify(text)}, expected sha256:<hex>`,
  ],
  SECRET_MISSING: ["not-found", (id: string) => `secret ${id}: not found`],
  AGENT_MISSING: ["not-found", (id: string) => `unset ssh forward key ${id}`],
  FOLDER_ELSEWHERE: [
    "conflict",
    (path: string) => `Cannot build from ${path}: the engine does not see the folder that its client does`,
  ],
  GIT_FAILED: ["unavailable", (url: string, words: string) => `failed to fetch remote ${url}: ${words}`],
  REMOTE_UNSUPPORTED: [
    "invalid-argument",
    (remote: string) =>
      `Cannot build from ${remote}: it is neither a git repository nor an http or https address`,
  ],
  GRAPH_TOO_DEEP: [
    "invalid-argument",
    (most: number) => `Cannot solve a graph in a graph in more than ${most} others`,
  ],
  CONFIG_INVALID: ["invalid-argument", () => "Cannot make an image: its configuration is no JSON object"],
  INPUT_MISSING: ["not-found", (name: string) => `Cannot build on ${name}: its build has made nothing`],
  SOURCE_UNPINNED: [
    "conflict",
    (what: string, name: string) => `Cannot build from ${what} ${name}: it is not in the lock file`,
  ],
  SOURCE_DRIFTED: [
    "conflict",
    (what: string, name: string, { wanted, found }: { readonly wanted: string; readonly found: string }) =>
      `Cannot build from ${what} ${name}: it is ${found}, the lock file has ${wanted}`,
  ],
  SOURCE_FOREIGN: [
    "conflict",
    (name: string, { wanted, found }: { readonly wanted: string; readonly found: string }) =>
      `Cannot build from image ${name}: ${wanted} was wanted, the lock file has an image for ${found}, which no registry has given`,
  ],
  PIN_INVALID: [
    "invalid-argument",
    (name: string, pin: string) =>
      `Cannot pin ${name}: ${JSON.stringify(pin)} is neither a digest nor a commit`,
  ],
  EPOCH_INVALID: ["invalid-argument", (text: string) => `invalid SOURCE_DATE_EPOCH: ${text}`],
  LINT_FAILED: ["invalid-argument", (words: string) => words],
  RESULT_EMPTY: ["invalid-argument", () => "Cannot bring an empty result anywhere: the build made nothing"],
  SESSION_NEEDED: [
    "invalid-argument",
    () => "no session to the client: it has not said where its files are (is POST /session open?)",
  ],
  SESSION_UNNAMED: ["invalid-argument", () => "Cannot open a session without X-Docker-Expose-Session-Uuid"],
  UPGRADE_NEEDED: ["invalid-argument", () => "Cannot open a connection for builds: it needs Upgrade: h2c"],
  NOT_ALLOWED: ["permission-denied", (name: string) => `${name} is not allowed`],
  LAYOUT_INVALID: [
    "invalid-argument",
    (text: string) => `invalid OCI layout ${JSON.stringify(text)}, expected oci-layout://<name>@sha256:<hex>`,
  ],
  LAYOUT_ABSENT: [
    "invalid-argument",
    (store: string) => `Cannot use the OCI layout ${store}: the client does not lend it in this build`,
  ],
  LAYOUT_DAMAGED: [
    "data-loss",
    (digest: string, why: string) => `Cannot take ${digest} of an OCI layout: ${why}`,
  ],
  ROOT_FOREIGN: [
    "invalid-argument",
    () => "Cannot open a container on files of the client: copy them to a file system first",
  ],
  CONTAINER_ENDED: ["conflict", () => "Cannot run a process: its container has ended"],
  FOLDER_TOO_LARGE: [
    "resource-exhausted",
    (path: string, most: number) => `Cannot list ${path}: it has more than ${most} files`,
  ],
  EXPORTER_UNKNOWN: [
    "not-implemented",
    (type: string) => `exporter ${JSON.stringify(type)} is not available`,
  ],
  CACHE_MISSING: ["not-found", (name: string) => `${name} has no build cache`],
  CACHE_DOCUMENT: [
    "data-loss",
    (name: string, why: string) => `Cannot read ${name} of a build cache: ${why}`,
  ],
  CACHE_BROKEN: ["unavailable", (name: string, why: string) => `Cannot use the build cache ${name}: ${why}`],
  CACHE_NO_SPACE: [
    "resource-exhausted",
    (name: string) => `Cannot take in layers of the build cache ${name}: no space left on device`,
  ],
  CACHE_KIND: [
    "not-implemented",
    (type: string) =>
      `a cache of type ${JSON.stringify(type)} is not available (known: registry, local, inline)`,
  ],
  ATTRIBUTE_INVALID: [
    "invalid-argument",
    (name: string, value: string, wanted: string) => `invalid ${name} ${JSON.stringify(value)}: ${wanted}`,
  ],
  EXPORTER_ATTRIBUTE: [
    "not-implemented",
    (type: string, name: string) =>
      `the attribute ${JSON.stringify(name)} of the exporter ${JSON.stringify(type)} is not available`,
  ],
  MATERIALS_INCOMPLETE: [
    "invalid-argument",
    () =>
      "provenance materials are incomplete: the build uses files of the client's, or a graph of its own (complete-materials)",
  ],
  ATTESTATION_TWICE: [
    "invalid-argument",
    (name: string) => `duplicate attestation path name ${JSON.stringify(name)}`,
  ],
  ATTESTATION_PLACE: [
    "invalid-argument",
    () => "Cannot keep attestations with an image that has no name: give it one, or use type=oci",
  ],
  GENERATOR_MISSING: [
    "unavailable",
    (generator: string, why: string) =>
      `Cannot make an SBOM: its generator ${generator} is not to be had (${why}); name another one: --sbom=generator=<image>`,
  ],
  GENERATOR_BROKEN: [
    "invalid-argument",
    (generator: string, why: string) => `Cannot make an SBOM with the generator ${generator}: ${why}`,
  ],
  PLATFORMS_SAME_FILE: [
    "invalid-argument",
    (path: string, from: string, other: string) =>
      `cannot overwrite ${path} from ${from} with ${other} when split option is disabled`,
  ],
  ANNOTATION_OF_INDEX: [
    "invalid-argument",
    (name: string) => `index annotations not supported for single platform export: ${name}`,
  ],
  CACHE_MOUNT_MISSING: [
    "not-found",
    (id: string) => `Cannot export a cache of RUN: there is no cache ${JSON.stringify(id)}`,
  ],
  CACHE_MOUNT_ARCHIVE: [
    "invalid-argument",
    (name: string) =>
      `Cannot import caches of RUN: this is no archive of caches, ${JSON.stringify(name)} is in it`,
  ],
});
