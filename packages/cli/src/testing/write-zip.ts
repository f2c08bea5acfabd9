import { crc32, deflateRawSync } from "node:zlib";

/** A file to pack, and what its headers are to say of it where that is not the truth. */
export interface FileToZip {
  readonly name: string;
  readonly data: Buffer;
  readonly deflate?: boolean;
  /** `data` is deflated already. */
  readonly isPacked?: boolean;
  readonly method?: number;
  readonly flags?: number;
  readonly crc?: number;
  readonly sizeBytes?: number;
}

/** A zip archive, right or wrong. */
export function writeZip(files: readonly FileToZip[], { comment = "" } = {}): Buffer {
  const bodies: Buffer[] = [];
  const entries: Buffer[] = [];
  let at = 0;
  for (const file of files) {
    const name = Buffer.from(file.name);
    const packed = file.deflate === true ? deflateRawSync(file.data) : file.data;
    const method = file.method ?? (file.deflate === true || file.isPacked === true ? 8 : 0);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(file.flags ?? 0, 2);
    fields.writeUInt16LE(method, 4);
    fields.writeUInt32LE(file.crc ?? crc32(file.data), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(file.sizeBytes ?? file.data.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const body = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), fields, name, packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    entries.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00", "latin1"), fields, rest, name]));
    bodies.push(body);
    at += body.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...bodies, directory, end, Buffer.from(comment)]);
}
