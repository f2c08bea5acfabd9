import { readFileSync, readlinkSync, statSync } from "node:fs";
import { cliFaults } from "../faults.ts";

/** What a stub says of the process that it is. */
export interface Hello {
  /** Equal to the resident client's own (`ownIdentity`), or it must not do the stub's work. */
  readonly identity: string;
  /** Whether standard input, output and error are terminals. */
  readonly terminals: readonly [boolean, boolean, boolean];
  readonly workingDir: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** @throws {Fault} `invalid-argument` */
export function parseHello(bytes: Buffer): Hello {
  const texts = bytes.toString().split("\0");
  if (texts.pop() !== "") throw cliFaults.RELAY_BROKEN("a text without an end");
  const [protocol, identity, terminals, workingDir, count, ...rest] = texts;
  const argumentCount = Number(count);
  if (
    protocol !== "1" ||
    identity === undefined ||
    !/^[01]{3}$/.test(terminals ?? "") ||
    workingDir?.startsWith("/") !== true ||
    !Number.isSafeInteger(argumentCount) ||
    argumentCount < 0 ||
    argumentCount > rest.length
  ) {
    throw cliFaults.RELAY_BROKEN("no greeting of this protocol");
  }
  const [stdin, stdout, stderr] = [0, 1, 2].map((index) => terminals?.[index] === "1");
  return {
    identity,
    terminals: [stdin === true, stdout === true, stderr === true],
    workingDir,
    argv: rest.slice(0, argumentCount),
    environment: environmentOf(rest.slice(argumentCount)),
  };
}

/** Of two values for one name the first counts, as for getenv(3). */
function environmentOf(variables: readonly string[]): Record<string, string> {
  const environment: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const variable of variables) {
    const equals = variable.indexOf("=");
    if (equals <= 0) continue;
    const name = variable.slice(0, equals);
    environment[name] ??= variable.slice(equals + 1);
  }
  return environment;
}

const statusMarks = /^(Umask|Uid|Gid|Groups|CapEff|NoNewPrivs|Seccomp):/;

/** What of this process decides what it may do and how; native/stub/hello.c writes the same of a stub. */
export function ownIdentity(): string {
  const lines = readFileSync("/proc/self/status", "utf8")
    .split("\n")
    .filter((line) => statusMarks.test(line))
    .map((line) => `${line}\n`);
  const namespaces = ["mnt", "net", "user", "pid"].map((name) => readlinkSync(`/proc/self/ns/${name}`));
  const root = statSync("/", { bigint: true });
  return `${lines.join("")}${namespaces.join("")} ${root.dev}:${root.ino}`;
}
