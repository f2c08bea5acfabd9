import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { chooseUniqueLocalPrefix, formatPrefix } from "@hawser/network";

/**
 * An IPv6 subnet for an engine's default bridge that nobody else has by chance (RFC 4193), the same with each start.
 */
export async function ownSubnet6(engine: {
  readonly bridge: string;
  readonly dataRoot: string;
}): Promise<string> {
  const machine = await readFile("/etc/machine-id", "utf8").catch(() => "");
  const text = `hawser bridge ${machine.trim()} ${engine.bridge} ${engine.dataRoot}`;
  return formatPrefix(chooseUniqueLocalPrefix(createHash("sha256").update(text).digest()));
}
