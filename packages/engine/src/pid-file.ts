import { closeSync, ftruncateSync, openSync, readFileSync, unlinkSync, writeSync } from "node:fs";
import { defineFaults } from "@hawser/base";
import { lockFile } from "@hawser/linux";

const pidFileFaults = defineFaults({
  ENGINE_RUNS: [
    "conflict",
    (path: string, pid: string) => `Cannot start the engine: another one (process ${pid}) holds ${path}`,
  ],
});

/**
 * The pid file, locked for as long as this process lives: two engines on one exec root would fight over its containers.
 * The lock ends with the process however that dies, so a stale file stops nobody.
 *
 * @throws {Fault} `conflict` when another engine holds it.
 */
export function openPidFile(path: string, pid: number): Disposable {
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
