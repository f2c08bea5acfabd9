import { httpFaults } from "./faults.ts";

/** The query of a request, read with Docker's rules. */
export class Query {
  readonly #values: URLSearchParams;

  constructor(text: string) {
    this.#values = new URLSearchParams(text);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The first value; `undefined` when absent. Docker mostly treats empty as absent: compare with `""`. */
  text(name: string): string | undefined {
    return this.#values.get(name) ?? undefined;
  }

  /** All values of a repeated parameter. */
  texts(name: string): readonly string[] {
    return this.#values.getAll(name);
  }

  /** Docker's boolean: anything but empty, `0`, `no`, `false` and `none` is true. */
  flag(name: string, fallback = false): boolean {
    const value = this.text(name);
    if (value === undefined) return fallback;
    return !["", "0", "no", "false", "none"].includes(value.trim().toLowerCase());
  }

  /**
   * A decimal integer; `undefined` when absent or empty.
   *
   * @throws {Fault} `invalid-argument`
   */
  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined || value === "") return undefined;
    if (!/^[+-]?\d{1,15}$/.test(value)) throw httpFaults.QUERY_NUMBER(value);
    return Number(value);
  }
}
