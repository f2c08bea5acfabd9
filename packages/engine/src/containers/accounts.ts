import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { errnoOf } from "@hawser/base";
import { openInRoot } from "@hawser/linux";
import type { OverlayMount } from "@hawser/store";

/** A file of accounts larger than this is not one. */
const maxBytes = 4 << 20;

export interface Accounts {
  readonly passwd: string;
  readonly group: string;
}

/**
 * The texts of /etc/passwd and /etc/group as a container would see them, found in its layers without mounting them. Each
 * file is opened inside its layer by the kernel (`RESOLVE_IN_ROOT`), so no link of an image leads to a file of the host.
 */
export function readAccounts(overlay: OverlayMount): Accounts {
  const layers = [overlay.upper, ...overlay.lower];
  return { passwd: readThroughLayers(layers, "etc/passwd"), group: readThroughLayers(layers, "etc/group") };
}

function readThroughLayers(layers: readonly string[], path: string): string {
  for (const layer of layers) {
    const found = readFromLayer(layer, path);
    if (found !== undefined) return found;
  }
  return "";
}

/** The file's text; empty when the layer hides it; `undefined` when the layer does not speak of it. */
function readFromLayer(layer: string, path: string): string | undefined {
  let fd: number;
  const root = openSync(layer, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fd = openInRoot(root, path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW, 0);
  } catch (error) {
    // A whiteout is a device without a driver; a link is not followed, since its target may be in another layer.
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code === "ENXIO" || code === "ENODEV" || code === "ELOOP") return "";
    throw error;
  } finally {
    closeSync(root);
  }
  try {
    const { size } = fstatSync(fd);
    if (!fstatSync(fd).isFile() || size > maxBytes) return "";
    const buffer = Buffer.alloc(size);
    return buffer.toString("utf8", 0, readSync(fd, buffer));
  } finally {
    closeSync(fd);
  }
}
