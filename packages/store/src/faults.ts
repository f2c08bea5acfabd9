import { defineFaults } from "@hawser/base";

export const storeFaults = defineFaults({
  // Where Docker's clients match on wording, its words.
  IMAGE_NOT_FOUND: ["not-found", (name: string) => `No such image: ${name}`],
  IMAGE_REMOVE_NAME_IN_USE: [
    "conflict",
    (name: string, container: string, image: string) =>
      `conflict: unable to remove repository reference "${name}" (must force) - container ${container} is using its referenced image ${image}`,
  ],
  IMAGE_REMOVE_CONFLICT: [
    "conflict",
    (image: string, hard: boolean, why: string) =>
      `conflict: unable to delete ${image} (${hard ? "cannot be forced" : "must be forced"}) - ${why}`,
  ],
  TAG_WITH_DIGEST: ["invalid-argument", () => "refusing to create a tag with a digest reference"],
  TAG_IS_ALGORITHM: [
    "invalid-argument",
    () => "refusing to create an ambiguous tag using digest algorithm as name",
  ],

  OWNER_UNMAPPED: [
    "invalid-argument",
    (uid: number, gid: number) =>
      `Cannot write files of ${uid}:${gid}: the container has no such user or group`,
  ],
  BLOB_NOT_FOUND: ["not-found", (digest: string) => `No such blob: ${digest}`],
  BLOB_DIGEST_MISMATCH: [
    "data-loss",
    (wanted: string, is: string) => `Cannot store blob ${wanted}: its content hashes to ${is}`,
  ],
  BLOB_SIZE_MISMATCH: [
    "data-loss",
    (wanted: number, is: number) => `Cannot store blob: it has ${is} bytes, ${wanted} were announced`,
  ],
  BLOB_TOO_LARGE: [
    "invalid-argument",
    (what: string, limit: number) => `Cannot read ${what}: it has more than ${limit} bytes`,
  ],
  ATTESTATIONS_REFUSED: ["invalid-argument", (problem: string) => `Cannot keep attestations: ${problem}`],
  BLOB_DAMAGED: ["data-loss", (digest: string) => `Cannot read blob ${digest}: the file on disk is damaged`],

  ARCHIVE_INVALID: ["invalid-argument", (problem: string) => `Cannot load the archive: ${problem}`],
  ARCHIVE_TAG_INVALID: ["invalid-argument", (tag: string) => `invalid tag "${tag}"`],
  ARCHIVE_DIGEST_MISMATCH: [
    "data-loss",
    (wanted: string, is: string) => `Cannot load the archive: ${wanted} hashes to ${is}`,
  ],
  COMPRESSION_UNSUPPORTED: [
    "invalid-argument",
    (name: string) => `Cannot decompress the archive: ${name} is not supported, gzip and zstd are`,
  ],
  COMPRESSION_PROGRAM_MISSING: [
    "unavailable",
    (program: string) => `Cannot decompress the archive: the program ${program} is not installed`,
  ],
  COMPRESSION_DAMAGED: [
    "data-loss",
    (problem: string) => `Cannot decompress the archive: it is damaged: ${problem}`,
  ],
  EXPANSION_LIMIT: [
    "invalid-argument",
    (what: string) => `Cannot decompress the archive: it expands to more than ${what}`,
  ],

  LAYER_NOT_FOUND: ["not-found", (chainId: string) => `No such layer: ${chainId}`],
  LAYER_DIGEST_MISMATCH: [
    "data-loss",
    (wanted: string, is: string) => `Cannot unpack layer ${wanted}: its content hashes to ${is}`,
  ],
  LAYER_REFUSED: ["invalid-argument", (problem: string) => `Cannot unpack layer: ${problem}`],
  LAYER_DAMAGED: ["data-loss", (problem: string) => `Cannot unpack layer: ${problem}`],
  LAYER_NO_SPACE: ["resource-exhausted", (problem: string) => `Cannot unpack layer: ${problem}`],
  LAYER_FAILED: ["internal", (problem: string) => `Cannot unpack layer: ${problem}`],

  // Docker's words for the files of a container.
  KIND_KEPT: [
    "invalid-argument",
    (is: string, path: string, wanted: string, folder: string) =>
      `cannot overwrite ${is} ${JSON.stringify(path)} with ${wanted} ${JSON.stringify(folder)}`,
  ],
  FILE_NOT_FOUND: ["not-found", (path: string) => `No such file: ${path}`],
  FOLDER_WANTED: ["invalid-argument", (path: string) => `${path}: not a directory`],
  NOT_A_DIRECTORY: ["invalid-argument", () => "extraction point is not a directory"],
  FILES_REFUSED: ["invalid-argument", (problem: string) => `Cannot copy files: ${problem}`],
  FILES_READ_ONLY: ["permission-denied", (problem: string) => `Cannot write files: ${problem}`],
  FILES_NO_SPACE: ["resource-exhausted", (problem: string) => `Cannot write files: ${problem}`],
  FILES_FAILED: ["internal", (problem: string) => `Cannot work on files: ${problem}`],
  // What a worker said, in its words.
  FILES_RELAYED_NOT_FOUND: ["not-found", (words: string) => words],
  FILES_RELAYED_INVALID: ["invalid-argument", (words: string) => words],
  FILES_RELAYED_DAMAGED: ["data-loss", (words: string) => words],

  SNAPSHOT_NOT_FOUND: ["not-found", (key: string) => `No such snapshot: ${key}`],
  SNAPSHOT_EXISTS: ["already-exists", (key: string) => `Cannot prepare snapshot ${key}: the key is taken`],

  DISK_FULL: ["resource-exhausted", (root: string) => `Cannot write to ${root}: no space left on device`],
  DISK_READ_ONLY: ["unavailable", (root: string) => `Cannot write to ${root}: the file system is read-only`],
  DISK_FORBIDDEN: ["permission-denied", (root: string) => `Cannot write to ${root}: permission denied`],
  DATABASE_DAMAGED: [
    "data-loss",
    (path: string, problem: string) =>
      `Cannot open ${path}: store.db is damaged (${problem}); nothing was changed. Put a copy of it back, or move it away with its -wal and -shm files: the engine then starts without images, and removes layers and what containers have written`,
  ],
  DATABASE_TOO_NEW: [
    "unavailable",
    (path: string, is: number, known: number) =>
      `Cannot open ${path}: it has version ${is}, this program knows up to ${known}`,
  ],
});
