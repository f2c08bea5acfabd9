import { existsSync } from "node:fs";
import type { Logger } from "@hawser/base";
import { openNetlinkFeed, runNft } from "@hawser/linux";
import { networkFaults } from "./faults.ts";
import { elementCommands, type RuleElement, tableRules } from "./firewall-rules.ts";
import { parseNews } from "./netlink/nftables-news.ts";

interface Change {
  readonly verb: "add" | "delete";
  readonly elements: readonly RuleElement[];
}

const netfilterProtocol = 12;
const nftablesGroup = 7;

/**
 * The engine's nftables table, all of which is ours: `firewall-rules.ts` has its rules. Changes that come together become one
 * transaction. When somebody else changes the table, or flushes all rules as a reload of a firewall does, it is put back.
 *
 * Disposing ends the watching; the table stays for containers that run. `remove` takes it away.
 */
export class Firewall implements AsyncDisposable {
  readonly #table: string;
  readonly #log: Logger;
  readonly #elements = new Map<string, RuleElement>();
  #pending: Change[] = [];
  #waiting = Promise.withResolvers<void>();
  #running: Promise<void> = Promise.resolve();
  #scheduled = false;
  #feed: Disposable | undefined;
  #repair: NodeJS.Timeout | undefined;
  /** In the transaction that is being told. */
  #isDamaged = false;

  /**
   * Put the table in place, empty: who owns elements adds them again.
   *
   * @throws {Fault} `invalid-argument` for the name, `unavailable` when libnftables is missing, `internal` with nft's words.
   */
  static async open(options: { readonly table: string; readonly log: Logger }): Promise<Firewall> {
    const { table, log } = options;
    if (!/^[A-Za-z]\w{0,63}$/.test(table)) {
      throw networkFaults.NAME_INVALID(
        "the name of an nftables table",
        table,
        'up to 64 letters, digits or "_"',
      );
    }
    const firewall = new Firewall(table, log);
    await runNft(`add table ip ${table}\ndelete table ip ${table}\n`); // of engines before 0.2
    return firewall;
  }

  private constructor(table: string, log: Logger) {
    this.#table = table;
    this.#log = log;
  }

  /**
   * Begin: the elements that were added until now become the table, in place of what a former engine left, in one transaction,
   * so that nothing that is published is ever closed in between.
   */
  async start(): Promise<void> {
    this.#forgetPending();
    await runNft(tableRules(this.#table, this.#elements.values()));
    this.#feed = openNetlinkFeed({
      protocol: netfilterProtocol,
      group: nftablesGroup,
      onNews: (bytes) => this.#hear(bytes),
    });
  }

  /** Resolves when the rules say so. @throws {Fault} `internal` with nft's words; the elements are then not there. */
  async add(elements: readonly RuleElement[]): Promise<void> {
    if (elements.length === 0) return;
    for (const element of elements) this.#elements.set(keyOf(element), element);
    await this.#change({ verb: "add", elements });
  }

  /** Elements that are not there are left alone. Failures are logged: what was to go away has no owner that could act. */
  async delete(elements: readonly RuleElement[]): Promise<void> {
    const found = elements.filter((element) => this.#elements.delete(keyOf(element)));
    if (found.length === 0) return;
    try {
      await this.#change({ verb: "delete", elements: found });
    } catch (error) {
      this.#log.warn("cannot take away firewall rules", { error });
    }
  }

  async remove(): Promise<void> {
    await this[Symbol.asyncDispose]();
    await runNft(`add table inet ${this.#table}\ndelete table inet ${this.#table}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#feed?.[Symbol.dispose]();
    this.#feed = undefined;
    clearTimeout(this.#repair);
    await this.#running.catch(() => {});
  }

  async #change(change: Change): Promise<void> {
    if (this.#feed === undefined) return; // `start` writes them, or all is over
    this.#pending.push(change);
    const { promise } = this.#waiting;
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#running = this.#running.then(() => this.#flush());
    }
    await promise;
  }

  /** Everything that came while the last transaction ran, as the next one. */
  async #flush(): Promise<void> {
    const { resolve, reject } = this.#waiting;
    const changes = this.#forgetPending();
    const commands = changes.flatMap(({ verb, elements }) => [
      ...elementCommands(verb, this.#table, elements),
    ]);
    try {
      try {
        await runNft(commands.join(""));
      } catch (error) {
        // Somebody has changed the table under us, or there never was such an element.
        this.#log.debug("writing all firewall rules anew", { error });
        await runNft(tableRules(this.#table, this.#elements.values()));
      }
      resolve();
    } catch (error) {
      for (const { verb, elements } of changes)
        if (verb === "add") for (const element of elements) this.#elements.delete(keyOf(element));
      reject(error);
    }
  }

  #forgetPending(): readonly Change[] {
    const changes = this.#pending;
    this.#pending = [];
    this.#waiting = Promise.withResolvers();
    this.#waiting.promise.catch(() => {}); // each waiter has its own
    this.#scheduled = false;
    return changes;
  }

  #hear(bytes: Buffer): void {
    for (const news of parseNews(bytes, this.#table)) {
      if (news.kind === "damage") this.#isDamaged = true;
      else if (news.kind === "lost") this.#repairSoon();
      else {
        if (this.#isDamaged && !existsSync(`/proc/self/task/${news.thread}`)) this.#repairSoon();
        this.#isDamaged = false;
      }
    }
  }

  /** A moment later, since who reloads a firewall often does more than one thing. */
  #repairSoon(): void {
    this.#repair ??= setTimeout(() => {
      this.#repair = undefined;
      this.#log.info("putting firewall rules back that somebody has changed", { table: this.#table });
      this.#running = this.#running.then(() => this.#rewrite());
    }, 20);
  }

  async #rewrite(): Promise<void> {
    try {
      await runNft(tableRules(this.#table, this.#elements.values()));
    } catch (error) {
      this.#log.error("cannot put firewall rules back", { error });
    }
  }
}

function keyOf({ set, key }: RuleElement): string {
  return `${set} ${key}`;
}
