import { didYouMean } from "./did-you-mean.ts";
import { invalidAt } from "./faults.ts";
import type { InstructionNode } from "./parse-dockerfile.ts";

/** What may follow a flag's `=`: a text, several (it may come again), or a truth, which may be left out. */
type FlagKind = "text" | "texts" | "switch";

const known: Readonly<Record<string, Readonly<Record<string, FlagKind>>>> = {
  FROM: { platform: "text" },
  RUN: { mount: "texts", network: "text", security: "text" },
  COPY: { parents: "switch", chown: "text", from: "text", chmod: "text", link: "switch", exclude: "texts" },
  ADD: {
    chown: "text",
    chmod: "text",
    link: "switch",
    "keep-git-dir": "switch",
    checksum: "text",
    unpack: "switch",
    exclude: "texts",
  },
  HEALTHCHECK: {
    interval: "text",
    timeout: "text",
    "start-period": "text",
    "start-interval": "text",
    retries: "text",
  },
};

/** An instruction's `--name=value` options (BuildKit's BFlags). */
export class Flags {
  readonly #values = new Map<string, string[]>();

  /** @throws {Fault} `invalid-argument` for one that the instruction does not have, that comes twice, or has another kind of value */
  constructor(node: InstructionNode) {
    const kinds = known[node.name] ?? {};
    for (const flag of node.flags) {
      const [, shown = "", value] = /^([^=]*)(?:=([^]*))?$/.exec(flag) ?? [];
      const name = shown.slice("--".length);
      const bad = (words: string) => invalidAt(node.range, words);
      const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
      if (kind === undefined) throw bad(`unknown flag: ${shown}${didYouMean(name, Object.keys(kinds))}`);
      const values = this.#values.get(name) ?? [];
      if (values.length > 0 && kind !== "texts") throw bad(`duplicate flag specified: ${shown}`);
      if (kind === "switch" ? value === "" : value === undefined)
        throw bad(`missing a value on flag: ${shown}`);
      if (kind === "switch" && !/^(true|false)?$/i.test(value ?? ""))
        throw bad(`expecting boolean value for flag ${shown}, not: ${value}`);
      this.#values.set(name, [...values, value ?? "true"]);
    }
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  text(name: string): string | undefined {
    return this.#values.get(name)?.[0];
  }

  texts(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  switch(name: string): boolean {
    return this.text(name)?.toLowerCase() === "true";
  }
}
