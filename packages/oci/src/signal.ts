import { ociFaults } from "./oci-faults.ts";

/** Linux signal names without `SIG`, by number: the numbering of x86, arm, riscv, s390 and ppc. */
const names =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(
    " ",
  );

const numbers = new Map(names.map((name, index) => [name, index + 1]));
for (const [alias, name] of [
  ["IOT", "ABRT"],
  ["CLD", "CHLD"],
  ["POLL", "IO"],
  ["UNUSED", "SYS"],
] as const) {
  numbers.set(alias, numbers.get(name) ?? 0);
}

const realtimeMin = 34;
const realtimeMax = 64;

/**
 * The number of a signal as users write it: `SIGTERM`, `term`, `15`, `SIGRTMIN+3`, `RTMAX-1`. Empty: SIGTERM.
 *
 * @throws {Fault} `invalid-argument` with Docker's words.
 */
export function parseSignal(text: string): number {
  if (text === "") return 15;
  if (/^\d{1,3}$/.test(text)) {
    const number = Number(text);
    if (number >= 1 && number <= realtimeMax) return number;
    throw ociFaults.SIGNAL_INVALID(text);
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  const known = numbers.get(name);
  if (known !== undefined) return known;
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realtime) {
    const [, edge, sign, offset = "0"] = realtime;
    const wrongWay = edge === "MIN" ? sign === "-" : sign === "+";
    const number = edge === "MIN" ? realtimeMin + Number(offset) : realtimeMax - Number(offset);
    if (!wrongWay && number >= realtimeMin && number <= realtimeMax) return number;
  }
  throw ociFaults.SIGNAL_INVALID(text);
}
