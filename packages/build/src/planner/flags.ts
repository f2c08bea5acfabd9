import { invalidAt } from "../dockerfile/faults.ts";
import type { InstructionNode } from "../dockerfile/parse-dockerfile.ts";

/** An instruction's `--name=value` options. */
export class Flags {
  readonly #values = new Map<string, string[]>();
  readonly #node: InstructionNode;

  /** @throws {Fault} `invalid-argument` for one that the instruction does not have */
  constructor(node: InstructionNode, known: readonly string[]) {
    this.#node = node;
    for (const flag of node.flags) {
      const [, name = "", value] = /^--([^=]*)(?:=([^]*))?$/.exec(flag) ?? [];
      if (!known.includes(name)) {
        throw invalidAt(node.range, `unknown flag: --${name}`);
      }
      this.#values.set(name, [...(this.#values.get(name) ?? []), value ?? "true"]);
    }
  }

  /** @throws {Fault} `invalid-argument` for one that comes twice */
  text(name: string): string | undefined {
    const values = this.#values.get(name) ?? [];
    if (values.length > 1) throw invalidAt(this.#node.range, `Duplicate flag specified: ${name}`);
    return values[0];
  }

  texts(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** @throws {Fault} `invalid-argument` */
  switch(name: string): boolean {
    const text = this.text(name) ?? "false";
    if (text === "true" || text === "false") return text === "true";
    throw invalidAt(this.#node.range, `Expected boolean value for flag "${name}", not: ${text}`);
  }
}
