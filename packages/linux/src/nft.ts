import { errnoOf } from "@hawser/base";
import { linuxFaults } from "./faults.ts";
import { native } from "./native.ts";

/**
 * Run commands of nft(8) as one transaction, all or nothing, on a thread of its own and without a program, one call at a
 * time. Returns what `list` commands print, with handles. Of what comes from users only what was checked may be part of them.
 *
 * @param options.namespaceFd the namespace to work in; absent: the process' own
 * @throws {Fault} `unavailable` when libnftables is not installed, `internal` with nft's words when it refuses.
 */
export async function runNft(
  commands: string,
  options: { readonly namespaceFd?: number } = {},
): Promise<string> {
  try {
    const { refused, text } = await native().runNft(Buffer.from(commands), options.namespaceFd ?? -1);
    if (refused) throw linuxFaults.NFT_REFUSED(text.toString("utf8").trim());
    return text.toString("utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") throw linuxFaults.NFT_MISSING().because(error);
    throw error;
  }
}
