import { tarFaults } from "./tar-faults.ts";

/**
 * A name of an archive as a path below the folder that it is unpacked in: no leading slash (an absolute name counts
 * from that folder, as Docker does), no empty, `.` or `..` parts; the empty string is the folder itself. One character
 * is one byte (latin1), so that names that are not UTF-8 survive and strings can be compared; `tarPathBytes` gives the
 * bytes back.
 *
 * @throws {Fault} `invalid-argument` when `..` leads out of the folder.
 */
export function rootedTarPath(path: Buffer): string {
  const text = path.toString("latin1");
  if (!/^\/|\/$|\/\/|(?:^|\/)\.\.?(?:\/|$)/.test(text)) return text;
  const parts: string[] = [];
  for (const part of text.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) throw tarFaults.TAR_PATH_ESCAPES(path.toString());
  }
  return parts.join("/");
}

/** What to give to file system calls for a path made by `rootedTarPath`. */
export function tarPathBytes(path: string): Buffer {
  return Buffer.from(path, "latin1");
}
