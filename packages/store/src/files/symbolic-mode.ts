/** Bits for all of it, or words of chmod(1), of which octal digits are some. */
export interface ModeWish {
  readonly mode?: number;
  readonly modeText?: string;
}

/** What a copy makes of a file's permission bits. */
export function modeChange({ mode, modeText }: ModeWish): (mode: number, isFolder: boolean) => number {
  if (modeText === undefined) return (own) => mode ?? own;
  if (/^[0-7]+$/.test(modeText)) return () => Number.parseInt(modeText, 8);
  const clauses = modeText.split(",");
  return (own, isFolder) => clauses.reduce((bits, clause) => applyClause(bits, clause, isFolder), own);
}

const places = { u: 6, g: 3, o: 0 } as const;

/** One clause of chmod(1): whom, then operators with rights, the umask being none. */
function applyClause(before: number, clause: string, isFolder: boolean): number {
  const [, who = "", changes = ""] = /^([ugoa]*)(.*)$/.exec(clause) ?? [];
  const whom = who === "" || who.includes("a") ? "ugo" : who;
  let bits = before;
  for (const [, operator, rights = ""] of changes.matchAll(/([-+=])([rwxXst]*)/g)) {
    const runs = isFolder || (bits & 0o111) !== 0;
    let mask = 0;
    let cleared = 0;
    for (const name of ["u", "g", "o"] as const) {
      if (!whom.includes(name)) continue;
      const right =
        (rights.includes("r") ? 4 : 0) |
        (rights.includes("w") ? 2 : 0) |
        (rights.includes("x") || (rights.includes("X") && runs) ? 1 : 0);
      mask |= right << places[name];
      cleared |= (7 << places[name]) | (name === "u" ? 0o4000 : name === "g" ? 0o2000 : 0);
      if (rights.includes("s")) mask |= name === "u" ? 0o4000 : name === "g" ? 0o2000 : 0;
    }
    if (rights.includes("t")) mask |= 0o1000;
    if (operator === "+") bits |= mask;
    else if (operator === "-") bits &= ~mask;
    else bits = (bits & ~cleared) | mask;
  }
  return bits & 0o7777;
}
