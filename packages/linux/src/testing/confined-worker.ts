import {
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { errnoOf } from "@hawser/base";
import { confineThread, deviceNumber, getXattr, listXattr, mknod, setXattr } from "../files.ts";

/** Runs in a worker: confines itself to `workerData`, works there and posts what it saw. */
export interface ConfinedReport {
  readonly folder: readonly string[];
  readonly workingFolder: readonly string[];
  readonly outside: string | undefined;
  readonly climbed: readonly string[];
  readonly attributes: readonly string[];
  readonly attribute: string;
  readonly missingAttribute: unknown;
  readonly device: number;
}

confineThread(String(workerData));
mkdirSync("/made");
writeFileSync("/made/file", "x");
symlinkSync("/../../../../..", "/climb");
setXattr("/climb", "trusted.hawser", Buffer.from("on the link"));
mknod("/made/null", constants.S_IFCHR | 0o600, deviceNumber(1, 3));

const report: ConfinedReport = {
  folder: readdirSync("/"),
  workingFolder: readdirSync("."),
  outside: errnoOfCall(() => readFileSync("/etc/passwd")),
  climbed: readdirSync("/climb"),
  attributes: listXattr("/climb"),
  attribute: Buffer.from(getXattr("/climb", "trusted.hawser") ?? []).toString(),
  missingAttribute: getXattr("/made", "trusted.hawser"),
  device: statSync("/made/null").rdev,
};
parentPort?.postMessage(report);

function errnoOfCall(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return errnoOf(error);
  }
}
