import { tarPathBytes } from "@hawser/base";

/** What to give to node:fs for a path as `rootedTarPath` has it, counted from `/`. Text where it is the same: that is faster. */
export function fsPath(path: string): string | Buffer {
  return /^[\x20-\x7e]*$/.test(path) ? `/${path}` : Buffer.concat([Buffer.from("/"), tarPathBytes(path)]);
}
