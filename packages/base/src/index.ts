export { abortable } from "./abortable.ts";
export { syncFolder, writeFileAtomic } from "./atomic-file.ts";
export { parseByteSize } from "./byte-size.ts";
export { parseCsvFields } from "./csv-fields.ts";
export { defineFaults, errnoOf, Fault, type FaultKind } from "./fault.ts";
export { parseGoBool } from "./go-bool.ts";
export { formatDurationNs, parseDuration } from "./go-duration.ts";
export { Holds } from "./holds.ts";
export { compileIgnorePatterns, type IgnorePatterns, parseIgnoreFile } from "./ignore-patterns.ts";
export { KeyedMutex } from "./keyed-mutex.ts";
export { jsonLogger, type LogFields, type Logger, type LogLevel, silentLogger, textLogger } from "./log.ts";
export { Semaphore } from "./semaphore.ts";
export { shownUrl } from "./shown-url.ts";
export {
  type DetachedProgram,
  openProgramStream,
  type ProgramResult,
  type ProgramStream,
  type RunOptions,
  runProgram,
  runProgramOk,
  startDetached,
} from "./spawn.ts";
export type { ReachStep } from "./steps.ts";
export { readTar, type TarMember, tarSourceOf } from "./tar/read-tar.ts";
export { rootedTarPath, tarPathBytes } from "./tar/rooted-tar-path.ts";
export type { TarEntry, TarEntryType } from "./tar/tar-entry.ts";
export { defaultTarLimits, type TarEvent, type TarLimits, TarParser } from "./tar/tar-parser.ts";
export { formatTarHeader, type TarContent, type TarSource, writeTar } from "./tar/tar-writer.ts";
export { goQuote, goQuoteChar } from "./template/go-quote.ts";
export { escapeHtmlJson } from "./template/html-json.ts";
export { version } from "./version.ts";
