export { syncFolder, writeFileAtomic } from "./atomic-file.ts";
export { defineFaults, errnoOf, Fault, type FaultKind } from "./fault.ts";
export { KeyedMutex } from "./keyed-mutex.ts";
export { type LogFields, type Logger, type LogLevel, silentLogger, textLogger } from "./log.ts";
export { type ProgramResult, type RunOptions, runProgram, runProgramOk, startDetached } from "./spawn.ts";
