import { existsSync } from "node:fs";
import type { Logger } from "@hawser/base";
import { openNetlinkFeed, runNft } from "@hawser/linux";
import { networkFaults } from "./faults.ts";
import { FirewallPassage } from "./firewall-passage.ts";
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
  readonly #passage: FirewallPassage;
  readonly #passesOthers: boolean;
  #passageTimer: NodeJS.Timeout | undefined;

  /**
   * Put the table in place, empty: who owns elements adds them again.
   *
   * @throws {Fault} `invalid-argument` for the name, `unavailable` when libnftables is missing, `internal` with nft's words.
   */
  static async open(options: {
    readonly table: string;
    /** What is published passes the administrator's rules: `FirewallPassage`. */
    readonly passesOthers?: boolean;
    readonly log: Logger;
  }): Promise<Firewall> {
    const { table, passesOthers = false, log } = options;
    if (!/^[A-Za-z]\w{0,63}$/.test(table)) {
      throw networkFaults.NAME_INVALID(
        "the name of an nftables table",
        table,
        'up to 64 letters, digits or "_"',
      );
    }
    const firewall = new Firewall({ table, passesOthers, log });
    await runNft(`add table ip ${table}\ndelete table ip ${table}\n`); // of engines before 0.2
    return firewall;
  }

  private constructor({
    table,
    passesOthers,
    log,
  }: {
    readonly table: string;
    readonly passesOthers: boolean;
    readonly log: Logger;
  }) {
    this.#table = table;
    this.#passesOthers = passesOthers;
    this.#passage = new FirewallPassage({ table, log });
    this.#log = log;
  }

  /**
   * Begin: the elements that were added until now become the table, in place of what a former engine left, in one transaction,
   * so that nothing that is published is ever closed in between.
   */
  async start(): Promise<void> {
    this.#forgetPending();
    await runNft(tableRules(this.#table, this.#elements.values()));
    await this.#pass();
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
    await this.#passNew(elements);
  }

  /** Elements that are not there are left alone. Failures are logged: what was to go away has no owner that could act. */
  async delete(elements: readonly RuleElement[]): Promise<void> {
    const found = elements.filter((element) => this.#elements.delete(keyOf(element)));
    if (found.length === 0) return;
    try {
      await this.#change({ verb: "delete", elements: found });
      await this.#passNew(found);
    } catch (error) {
      this.#log.warn("cannot take away firewall rules", { error });
    }
  }

  async remove(): Promise<void> {
    await this[Symbol.asyncDispose]();
    if (this.#passesOthers) await this.#passage.open([]);
    await runNft(`add table inet ${this.#table}\ndelete table inet ${this.#table}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#feed?.[Symbol.dispose]();
    this.#feed = undefined;
    clearTimeout(this.#repair);
    clearTimeout(this.#passageTimer);
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

  /** When the bridges are others. */
  async #passNew(elements: readonly RuleElement[]): Promise<void> {
    if (this.#passesOthers && this.#feed !== undefined && elements.some(({ set }) => set === "bridges")) {
      this.#running = this.#running.then(() => this.#pass());
      await this.#running;
    }
  }

  async #pass(): Promise<void> {
    const bridges = [...this.#elements.values()].filter(({ set }) => set === "bridges");
    try {
      // Also where it is not wanted, since a former engine may have been of another mind.
      await this.#passage.open(this.#passesOthers ? bridges.map(({ key }) => String(JSON.parse(key))) : []);
    } catch (error) {
      this.#log.error("cannot let published ports past other firewalls", { error });
    }
  }

  /** A moment later, since who reloads a firewall does more than one thing. */
  #passSoon(): void {
    if (!this.#passesOthers) return;
    this.#passageTimer ??= setTimeout(() => {
      this.#passageTimer = undefined;
      this.#running = this.#running.then(() => this.#pass());
    }, 50);
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
        const isOwn = existsSync(`/proc/self/task/${news.thread}`);
        if (this.#isDamaged && !isOwn) this.#repairSoon();
        if (!isOwn) this.#passSoon();
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
