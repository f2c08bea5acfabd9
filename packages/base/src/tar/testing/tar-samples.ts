import { type TarSource, writeTar } from "../tar-writer.ts";

/** One entry of each kind, with everything that needs more than a plain header. */
export const samples: readonly TarSource[] = [
  { path: "d", type: "directory", mode: 0o1777, mtimeNs: 1_700_000_000_123_456_789n },
  { path: "d/f", type: "file", content: Buffer.from("content"), uid: 1, gid: 5_000_000, mode: 0o6711 },
  {
    path: `${"l".repeat(120)}/ü`,
    type: "file",
    content: Buffer.alloc(1500, "z"),
    xattrs: new Map([
      ["user.a", Buffer.from("\0=\n")],
      ["security.capability", Buffer.from([1, 2])],
    ]),
  },
  { path: "s", type: "symlink", linkPath: "t".repeat(300) },
  { path: "h", type: "hardlink", linkPath: "d/f" },
  { path: "c", type: "character-device", deviceMajor: 1, deviceMinor: 3 },
  { path: "b", type: "block-device", deviceMajor: 8, deviceMinor: 1 },
  { path: "p", type: "fifo", mtimeNs: -1_500_000_000n },
  { path: Buffer.from([0x61, 0xff]), type: "file", content: Buffer.from("x") },
];

export async function archiveOf(entries: readonly TarSource[]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(writeTar(entries)));
}

/** A header with fields written over and its checksum made right again. */
export function withField(block: Buffer, at: number, bytes: string | Uint8Array): Buffer {
  const changed = Buffer.from(block);
  changed.set(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes, at);
  changed.fill(0x20, 148, 156);
  const sum = changed.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  changed.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return changed;
}
