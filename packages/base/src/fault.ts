/** What went wrong, for programs. A closed set: every boundary maps all of it, in one file, exhaustively. */
export type FaultKind =
  | "invalid-argument"
  | "not-found"
  | "already-exists"
  | "conflict"
  | "not-modified"
  | "unauthenticated"
  | "permission-denied"
  | "unavailable"
  | "resource-exhausted"
  | "canceled"
  | "deadline-exceeded"
  | "not-implemented"
  | "data-loss"
  | "internal";

/**
 * The one error class. `kind` is for programs, `code` for searching, `message` for people.
 * Made by the functions of a fault table (`defineFaults`), never with `new` outside this file.
 */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly kind: FaultKind;
  readonly code: string;

  constructor(kind: FaultKind, code: string, message: string) {
    super(message);
    this.kind = kind;
    this.code = code;
  }

  /** Keep what caused this fault, for the log. */
  because(cause: unknown): this {
    this.cause = cause;
    return this;
  }

  static is(value: unknown, kind?: FaultKind): value is Fault {
    return value instanceof Fault && (kind === undefined || value.kind === kind);
  }

  /**
   * Any thrown value as a fault: faults stay, an abort becomes `canceled`, a time-out `deadline-exceeded`,
   * everything else is a bug or an unforeseen refusal of the system and becomes `internal` with its own text.
   */
  static from(value: unknown): Fault {
    if (value instanceof Fault) return value;
    if (value instanceof Error) {
      if (value.name === "AbortError") return new Fault("canceled", "CANCELED", value.message).because(value);
      if (value.name === "TimeoutError") {
        return new Fault("deadline-exceeded", "DEADLINE_EXCEEDED", value.message).because(value);
      }
      return new Fault("internal", "INTERNAL", value.message).because(value);
    }
    return new Fault("internal", "INTERNAL", String(value));
  }
}

type FaultTable = Readonly<Record<string, readonly [FaultKind, (...args: never[]) => string]>>;

type FaultMakers<T extends FaultTable> = {
  readonly [Code in keyof T]: T[Code][1] extends (...args: infer A) => string ? (...args: A) => Fault : never;
};

/**
 * A package's table of faults: code → [kind, message]. The result has one maker per code, so a wrong
 * code or wrong arguments do not compile.
 *
 * @example
 * const storeFaults = defineFaults({ BLOB_NOT_FOUND: ["not-found", (digest: string) => `No such blob: ${digest}`] });
 * throw storeFaults.BLOB_NOT_FOUND(digest);
 */
export function defineFaults<const T extends FaultTable>(table: T): FaultMakers<T> {
  const makers: Record<string, (...args: never[]) => Fault> = {};
  for (const [code, [kind, message]] of Object.entries(table)) {
    makers[code] = (...args) => new Fault(kind, code, message(...args));
  }
  return makers as FaultMakers<T>;
}

/** The `code` of an error that Node or the kernel gave ("ENOENT"), or `undefined`. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
