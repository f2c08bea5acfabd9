import type { Logger } from "@hawser/base";
import { runNft } from "@hawser/linux";

/** A chain of somebody else's that decides about what the host passes on. */
export interface ForeignChain {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
}

/**
 * Docker's behaviour, on demand: what is published is reached whatever the administrator's rules say of what the host passes
 * on. Since no chain can overrule another one's drop, an accept for the engine's bridges is put at the top of each that is
 * hooked there: a jump to a chain of ours in the same table, with nothing in it that iptables would not understand. What may
 * reach a container is still decided by the engine's own table.
 */
export class FirewallPassage {
  readonly #ownTable: string;
  readonly #chain: string;
  readonly #log: Logger;

  constructor(options: { readonly table: string; readonly log: Logger }) {
    this.#ownTable = options.table;
    this.#chain = `${options.table}_pass`;
    this.#log = options.log;
  }

  /** Let everything through to and from these bridges; none: take it all away. A chain that refuses is told of in the log. */
  async open(bridges: readonly string[]): Promise<void> {
    for (const foreign of parseForwardChains(await runNft("list chains\n"), this.#ownTable)) {
      try {
        await this.#openIn(foreign, bridges);
      } catch (error) {
        this.#log.warn("cannot let published ports past a chain of another firewall", { ...foreign, error });
      }
    }
  }

  async #openIn({ family, table, chain }: ForeignChain, bridges: readonly string[]): Promise<void> {
    const place = `${family} ${table}`;
    const jumps = handlesOfJumps(await runNft(`list chain ${place} ${chain}\n`), this.#chain);
    if (bridges.length === 0) {
      if (jumps.length === 0) return;
      const removals = jumps.map((handle) => `delete rule ${place} ${chain} handle ${handle}\n`);
      await runNft([...removals, `delete chain ${place} ${this.#chain}\n`].join(""));
      return;
    }
    await runNft(
      [
        `add chain ${place} ${this.#chain}\nflush chain ${place} ${this.#chain}\n`,
        ...bridges.flatMap((bridge) =>
          ["oifname", "iifname"].map(
            (side) => `add rule ${place} ${this.#chain} ${side} ${JSON.stringify(bridge)} accept\n`,
          ),
        ),
        ...(jumps.length === 0 ? [`insert rule ${place} ${chain} jump ${this.#chain}\n`] : []),
      ].join(""),
    );
  }
}

/** Filter chains with the hook `forward`, of what `list chains` prints; but for ours, and those of engines like ours. */
export function parseForwardChains(text: string, ownTable: string): readonly ForeignChain[] {
  const found: ForeignChain[] = [];
  for (const [, family = "", table = "", body = ""] of text.matchAll(
    /^table (\S+) (\S+) \{[^\n]*\n(.*?)^\}/gms,
  )) {
    const isAnEngines = /^\tchain guard \{/m.test(body) && /^\tchain published \{/m.test(body);
    if (!["inet", "ip", "ip6"].includes(family) || (family === "inet" && table === ownTable) || isAnEngines)
      continue;
    for (const [, chain = "", inside = ""] of body.matchAll(/^\tchain (\S+) \{[^\n]*\n(.*?)^\t\}/gms)) {
      if (/type filter hook forward /.test(inside) && isPlain(table) && isPlain(chain)) {
        found.push({ family, table, chain });
      }
    }
  }
  return found;
}

/** What needs no quoting in a command. */
function isPlain(name: string): boolean {
  return /^[A-Za-z_][\w./\\-]*$/.test(name);
}

function handlesOfJumps(text: string, chain: string): readonly string[] {
  return [
    ...text.matchAll(
      /^\s*(?:counter packets \d+ bytes \d+ )?jump (\S+)(?: comment "[^"]*")? # handle (\d+)$/gm,
    ),
  ].flatMap(([, target, handle = ""]) => (target === chain ? handle : []));
}
