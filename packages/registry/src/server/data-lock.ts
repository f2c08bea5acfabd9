import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "@hawser/base";
import { serverFaults } from "./faults.ts";

/**
 * Have a registry's folder for this process alone: another one would collect what is on its way here. What a process that is no
 * more has left does not count.
 *
 * @throws {Fault} `conflict` when a process that lives has it
 */
export function lockData(root: string): Disposable {
  const path = join(root, "registry.pid");
  const own = `${process.pid} ${startTimeOf("self")}\n`;
  for (;;) {
    try {
      writeFileSync(path, own, { flag: "wx", mode: 0o600 });
      return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
    const [pid = "", started = ""] = readFileSync(path, "utf8").trim().split(" ");
    if (/^\d+$/.test(pid) && startTimeOf(pid) === started && started !== "")
      throw serverFaults.DATA_IN_USE(root);
    rmSync(path, { force: true });
  }
}

/** Field 22 of /proc/<pid>/stat: with it a number that is used again is another process. Empty: there is none. */
function startTimeOf(pid: string): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}
