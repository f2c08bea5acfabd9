import {
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { errnoOf } from "@hawser/base";
import {
  confineThread,
  deviceNumber,
  getXattr,
  listXattr,
  mknod,
  releaseThread,
  setXattr,
} from "../files.ts";

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
  /** After it was released: its root, working folder and mounts. */
  readonly released: readonly string[];
  /** What there is in a folder that it was confined to then. */
  readonly again: readonly string[];
}

const unconfined = errnoOfCall(releaseThread);
if (unconfined !== "EINVAL") throw new Error(`a thread that was not confined was released: ${unconfined}`);

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
  released: release(),
  again: confineAgain(),
};
parentPort?.postMessage(report);

function release(): readonly string[] {
  releaseThread();
  return ["root", "cwd", "ns/mnt"].map((name) => readlinkSync(`/proc/thread-self/${name}`));
}

function confineAgain(): readonly string[] {
  confineThread(`${String(workerData)}/made`);
  return readdirSync("/");
}

function errnoOfCall(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return errnoOf(error);
  }
}
