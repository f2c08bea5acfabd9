import { attributeText, parseAttributes, splitMessages } from "./message.ts";

const subsystem = 10; // NFNL_SUBSYS_NFTABLES
/** NFT_MSG_DELTABLE, DELCHAIN, DELRULE, DELSET, DELSETELEM of linux/netfilter/nf_tables.h, and what flushing may say instead. */
const deletions: ReadonlySet<number> = new Set([2, 5, 8, 11, 14, 26, 27, 28, 29, 30]);
const newGeneration = 15;
const generationThread = 2;
const overrunType = 4;

/** What happened to a table. */
export type NftablesNews =
  /** Something of the table is being deleted. */
  | { readonly kind: "damage" }
  /** A transaction ends, whose parts were told before: it was this thread's. */
  | { readonly kind: "end"; readonly thread: number }
  /** There was more than could be told. */
  | { readonly kind: "lost" };

/** What a piece of the nftables multicast group tells of one table, in its order. */
export function* parseNews(bytes: Buffer, table: string): Generator<NftablesNews> {
  for (const { type, body } of splitMessages(bytes)) {
    if (type === overrunType) yield { kind: "lost" };
    if (type >> 8 !== subsystem) continue;
    const attributes = parseAttributes(body.subarray(4));
    const action = type & 0xff;
    if (action === newGeneration) {
      yield { kind: "end", thread: attributes.get(generationThread)?.readUInt32BE() ?? 0 };
    } else if (deletions.has(action) && attributeText(attributes.get(1)) === table) {
      yield { kind: "damage" };
    }
  }
}
