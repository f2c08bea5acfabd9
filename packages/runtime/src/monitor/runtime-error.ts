import type { Fault } from "@hawser/base";
import { runtimeFaults } from "../faults.ts";

/** What an OCI runtime was asked to do when it failed. */
export interface RuntimeFailure {
  /** What the runtime wrote to its log; several lines, runc's or crun's form. */
  readonly text: string;
  readonly verb: "create" | "exec";
  /** First word of the command, when it is known. */
  readonly program?: string;
}

const mountHint =
  "Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type";

/**
 * An OCI runtime's failure in the words that Docker's clients know: they derive the exit codes 126 and 127 from them. crun's
 * own words become runc's; runc's stay. What the command or a mount of the user's is to blame for is `invalid-argument`
 * (Docker answers 400), everything else `internal`.
 */
export function runtimeFault(failure: RuntimeFailure): Fault {
  const { verb } = failure;
  const prefix =
    verb === "create"
      ? "failed to create task for container: failed to create shim task: OCI runtime create failed"
      : "OCI runtime exec failed: exec failed";
  const words = translate(lastLine(failure.text), failure);
  const text = `${prefix}: ${words}: unknown`;
  const isUsers =
    /executable file not found|no such file or directory|permission denied|not a directory/.test(words);
  return isUsers ? runtimeFaults.RUNTIME_REFUSED(text) : runtimeFaults.RUNTIME_FAILED(text);
}

/** Both log line by line; the last line says what made it give up. */
function lastLine(text: string): string {
  const line = text.trim().split("\n").at(-1)?.trim() ?? "";
  const [, quoted] = /\bmsg=("(?:[^"\\]|\\.)*")/.exec(line) ?? [];
  if (quoted !== undefined) return unquote(quoted);
  // crun --debug style: 2026-11-23T19:07:13.123456Z: text
  return line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z?:\s*/, "");
}

function unquote(quoted: string): string {
  try {
    const value: unknown = JSON.parse(quoted);
    return typeof value === "string" ? value : quoted;
  } catch {
    return quoted.slice(1, -1); // Go escapes some characters that JSON does not know
  }
}

const errnoTexts = [
  "No such file or directory",
  "Permission denied",
  "Operation not permitted",
  "Not a directory",
  "Is a directory",
  "Invalid argument",
  "Device or resource busy",
  "No space left on device",
  "Cannot allocate memory",
  "Resource temporarily unavailable",
  "Too many levels of symbolic links",
  "File exists",
  "Read-only file system",
];

function translate(line: string, { program = "" }: RuntimeFailure): string {
  if (line === "") return "unable to start container process: the OCI runtime gave no reason";
  const runc = /^(?:runc (?:run|create|exec) failed|exec failed): (.*)$/s.exec(line)?.[1];
  if (runc !== undefined) return withMountHint(runc);
  return `unable to start container process: ${translateCrun(line, program)}`;
}

function translateCrun(line: string, program: string): string {
  const missing = /^executable file `(.*)` not found in \$PATH/s.exec(line)?.[1];
  if (missing !== undefined) return execWords(missing, "missing");
  if (/^open executable: (?:Permission denied|Operation not permitted)/.test(line)) {
    return execWords(program, program.includes("/") || program === "" ? "refused" : "missing");
  }
  const folder = /^chdir(?: to)? `(.*)`: (.*)$/s.exec(line);
  if (folder) return `chdir to cwd (${quote(folder[1])}) set in config.json failed: ${goErrno(folder[2])}`;
  const source = /^error stat'ing file `(.*)`: (.*)$/s.exec(line);
  if (source) {
    return `error during container init: error mounting ${quote(source[1])}: stat ${source[1]}: ${goErrno(source[2])}`;
  }
  const mount = /^(?:bind )?mount `(.*)` to `(.*)`: (.*)$/s.exec(line);
  if (mount) {
    const target = `/${(mount[2] ?? "").replace(/^\/+/, "")}`;
    const words = `error during container init: error mounting ${quote(mount[1])} to rootfs at ${quote(target)}: ${goErrno(mount[3])}`;
    return withMountHint(words);
  }
  return goErrno(line);
}

function execWords(program: string, problem: "missing" | "refused"): string {
  const start = program === "" ? "exec" : `exec: ${quote(program)}`;
  if (problem === "refused") return `${start}: permission denied`;
  return program.includes("/")
    ? `${start}: stat ${program}: no such file or directory`
    : `${start}: executable file not found in $PATH`;
}

function withMountHint(words: string): string {
  return words.includes("error mounting") && words.endsWith("not a directory")
    ? `${words}: ${mountHint}`
    : words;
}

/** C's texts for error numbers as Go has them: in lower case, which is what Docker's CLI looks for. */
function goErrno(text = ""): string {
  const errno = errnoTexts.find((known) => text.endsWith(known));
  return errno === undefined ? text : text.slice(0, -errno.length) + errno.toLowerCase();
}

function quote(text = ""): string {
  return JSON.stringify(text);
}
