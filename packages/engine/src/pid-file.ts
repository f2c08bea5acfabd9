import {
  closeSync,
  constants,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { defineFaults } from "@hawser/base";
import { lockFile } from "@hawser/linux";

const pidFileFaults = defineFaults({
  ENGINE_RUNS: [
    "conflict",
    (path: string, pid: string) => `Cannot start the engine: another one (process ${pid}) holds ${path}`,
  ],
  ROOT_IN_USE: ["conflict", (path: string) => `Cannot start the engine: another one works in ${path}`],
});

/**
 * The pid file, locked for as long as this process lives: two engines on one exec root would fight over its containers.
 * The lock ends with the process however that dies, so a stale file stops nobody.
 *
 * @throws {Fault} `conflict` when another engine holds it.
 */
export function openPidFile(path: string, pid: number): Disposable {
  mkdirSync(dirname(path), { recursive: true });
  const fd = openSync(path, "a+", 0o644);
  if (!lockFile(fd)) {
    const holder = readFileSync(path, "utf8").trim();
    closeSync(fd);
    throw pidFileFaults.ENGINE_RUNS(path, holder);
  }
  ftruncateSync(fd, 0);
  writeSync(fd, `${pid}\n`);
  return {
    [Symbol.dispose]() {
      unlinkSync(path);
      closeSync(fd);
    },
  };
}

/**
 * Lock a data root or exec root for as long as this process lives, whatever the pid file is: two engines on one of them
 * would end each other's containers. The lock is on the folder itself, so nothing is left behind.
 *
 * @throws {Fault} `conflict` when another engine works there.
 */
export function lockRoot(path: string): Disposable {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  if (!lockFile(fd)) {
    closeSync(fd);
    throw pidFileFaults.ROOT_IN_USE(path);
  }
  return { [Symbol.dispose]: () => closeSync(fd) };
}
