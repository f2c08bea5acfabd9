import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Fault, type FaultKind } from "../fault.ts";
import { openTempDir } from "../testing/index.ts";
import { type TarLimits, TarParser } from "./tar-parser.ts";
import { formatTarHeader } from "./tar-writer.ts";
import { archiveOf, samples, withField } from "./testing/tar-samples.ts";

interface ReadEntry {
  readonly path: string;
  readonly type: string;
  readonly linkPath: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly sizeBytes: number;
  readonly xattrs: Readonly<Record<string, string>>;
  /** With holes filled. */
  readonly content: string;
}

/** What a program that unpacks would see. */
function readAll(
  archive: Uint8Array,
  options: { readonly chunkBytes?: number; readonly limits?: Partial<TarLimits> } = {},
): ReadEntry[] {
  const parser = new TarParser(options.limits);
  const entries: ReadEntry[] = [];
  let content = Buffer.alloc(0);
  const chunkBytes = options.chunkBytes ?? archive.length;
  for (let at = 0; at < archive.length; at += chunkBytes) {
    // A chunk's memory is the caller's again after feed().
    const chunk = Uint8Array.from(archive.subarray(at, at + chunkBytes));
    for (const event of parser.feed(chunk)) {
      if (event.kind === "entry") {
        const { entry } = event;
        assert.ok(entry.sizeBytes < 1 << 24, "test files are small");
        content = Buffer.alloc(entry.sizeBytes);
        entries.push({
          path: entry.path.toString("latin1"),
          type: entry.type,
          linkPath: entry.linkPath.toString("latin1"),
          mode: entry.mode,
          uid: entry.uid,
          gid: entry.gid,
          mtimeNs: entry.mtimeNs,
          sizeBytes: entry.sizeBytes,
          xattrs: Object.fromEntries([...entry.xattrs].map(([name, value]) => [name, value.toString("hex")])),
          content: "",
        });
      } else if (event.kind === "data") {
        assert.ok(event.bytes.length > 0);
        event.bytes.copy(content, event.offset);
      } else {
        const last = entries.pop();
        if (last !== undefined) entries.push({ ...last, content: content.toString("latin1") });
      }
    }
    chunk.fill(0xee);
  }
  parser.finish();
  return entries;
}

function refuses(archive: Uint8Array, kind: FaultKind, limits?: Partial<TarLimits>): void {
  assert.throws(
    () => {
      const parser = new TarParser(limits);
      for (const _ of parser.feed(archive));
      parser.finish();
    },
    (error) => Fault.is(error, kind),
  );
}

function paxHeader(records: string, type = "x"): Buffer {
  const data = Buffer.from(records, "latin1");
  const header = formatTarHeader({ path: "pax", type: "file", content: data });
  return Buffer.concat([withField(header, 156, type), data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

function paxRecord(key: string, value: string): string {
  let length = key.length + value.length + 3;
  while (String(length).length + key.length + value.length + 3 !== length) length++;
  return `${length} ${key}=${value}\n`;
}

const emptyFile = formatTarHeader({ path: "f", type: "file" });
const end = Buffer.alloc(1024);

describe("TarParser reads what GNU tar writes", () => {
  for (const format of ["v7", "oldgnu", "gnu", "ustar", "posix"]) {
    test(`--format=${format}`, async () => {
      await using dir = await openTempDir();
      const long = format === "v7" || format === "ustar" ? "d".repeat(60) : "d".repeat(150);
      mkdirSync(join(dir.path, long));
      writeFileSync(join(dir.path, long, "file"), "content", { mode: 0o640 });
      symlinkSync("x".repeat(90), join(dir.path, "link"));
      utimesSync(join(dir.path, long, "file"), 1_000_000_000, 1_234_567_890);
      const archive = execFileSync("tar", [
        "-c",
        `--format=${format}`,
        "-C",
        dir.path,
        "--sort=name",
        "--owner=7",
        "--group=8",
        ".",
      ]);
      const entries = readAll(archive);
      assert.deepEqual(
        entries.map(({ path, type, content, linkPath, uid, gid }) => ({
          path,
          type,
          content,
          linkPath,
          uid,
          gid,
        })),
        [
          { path: "./", type: "directory", content: "", linkPath: "", uid: 7, gid: 8 },
          { path: `./${long}/`, type: "directory", content: "", linkPath: "", uid: 7, gid: 8 },
          { path: `./${long}/file`, type: "file", content: "content", linkPath: "", uid: 7, gid: 8 },
          { path: "./link", type: "symlink", content: "", linkPath: "x".repeat(90), uid: 7, gid: 8 },
        ],
      );
      assert.equal(entries[2]?.mtimeNs, 1_234_567_890_000_000_000n);
      assert.equal(entries[2]?.mode, 0o640);
    });
  }

  for (const flags of [
    ["--format=gnu"],
    ["--format=oldgnu"],
    ...["0.0", "0.1", "1.0"].map((version) => ["--format=posix", `--sparse-version=${version}`]),
  ]) {
    test(`sparse files with ${flags.join(" ")}`, async () => {
      await using dir = await openTempDir();
      const path = join(dir.path, "sparse");
      // More pieces than fit into a header.
      const wanted = Buffer.alloc(3_000_000);
      for (let piece = 0; piece < 30; piece++)
        wanted.fill(65 + (piece % 26), piece * 98_304, piece * 98_304 + 4096);
      const fd = openSync(path, "w");
      for (let piece = 0; piece < 30; piece++) writeSync(fd, wanted, piece * 98_304, 4096, piece * 98_304);
      ftruncateSync(fd, wanted.length);
      closeSync(fd);
      const archive = execFileSync("tar", ["-c", "-S", ...flags, "-C", dir.path, "sparse"], {
        maxBuffer: 1 << 26,
      });
      assert.ok(archive.length < wanted.length / 2, "tar did not see the holes");
      for (const chunkBytes of [archive.length, 1000]) {
        const [entry, ...more] = readAll(archive, { chunkBytes });
        assert.equal(more.length, 0);
        assert.equal(entry?.path, "sparse");
        assert.equal(entry.sizeBytes, wanted.length);
        assert.ok(entry.content === wanted.toString("latin1"), "the content is the same");
      }
    });
  }

  test("numbers in base-256, long link names, hard links", async () => {
    await using dir = await openTempDir();
    const name = "n".repeat(200);
    writeFileSync(join(dir.path, name), "x");
    execFileSync("ln", [name, "zz"], { cwd: dir.path });
    const archive = execFileSync("tar", [
      "-c",
      "--format=gnu",
      "--owner=big:3000000",
      "--group=big:4000000000",
      "--mtime=@-5",
      "-C",
      dir.path,
      name,
      "zz",
    ]);
    const [file, link] = readAll(archive);
    assert.deepEqual(
      { uid: file?.uid, gid: file?.gid, mtimeNs: file?.mtimeNs },
      { uid: 3_000_000, gid: 4_000_000_000, mtimeNs: -5_000_000_000n },
    );
    assert.deepEqual({ type: link?.type, linkPath: link?.linkPath }, { type: "hardlink", linkPath: name });
  });

  test("times to the nanosecond, and extended attributes", async () => {
    await using dir = await openTempDir();
    writeFileSync(join(dir.path, "f"), "x");
    execFileSync("touch", ["-d", "@1700000000.123456789", join(dir.path, "f")]);
    const [file] = readAll(
      execFileSync("tar", [
        "-c",
        "--format=posix",
        "--pax-option=SCHILY.xattr.user.k:=a=b",
        "-C",
        dir.path,
        "f",
      ]),
    );
    assert.equal(file?.mtimeNs, 1_700_000_000_123_456_789n);
    assert.deepEqual(file.xattrs, { "user.k": Buffer.from("a=b").toString("hex") });
  });

  test("a global header after its chunk's memory is used again", () => {
    const global = paxHeader(paxRecord("SCHILY.xattr.user.k", "value"), "g");
    const parser = new TarParser();
    const memory = Buffer.from(global);
    for (const _ of parser.feed(memory)) assert.fail("an event without an entry");
    memory.fill(0xee);
    const [event] = parser.feed(emptyFile);
    assert.ok(event?.kind === "entry");
    assert.equal(event.entry.xattrs.get("user.k")?.toString(), "value");
  });

  test("global headers, which later and local ones override", async () => {
    await using dir = await openTempDir();
    writeFileSync(join(dir.path, "f"), "x");
    const archive = execFileSync("tar", [
      "-c",
      "--format=posix",
      "--pax-option=globexthdr.name=g,uid=77,comment=hello",
      "-C",
      dir.path,
      "f",
    ]);
    assert.equal(readAll(archive)[0]?.uid, 77);
    const both = Buffer.concat([
      archive.subarray(0, 1024),
      paxHeader(paxRecord("uid", "78")),
      emptyFile,
      emptyFile,
      end,
    ]);
    assert.deepEqual(
      readAll(both).map((entry) => entry.uid),
      [78, 77],
    );
  });
});

test("TarParser reads what tar-stream writes", async () => {
  const tarStream = createRequire(import.meta.url)("tar-stream") as {
    pack(): AsyncIterable<Buffer> & {
      entry(header: object, content?: string | Buffer): void;
      finalize(): void;
    };
  };
  const pack = tarStream.pack();
  const name = `${"ü".repeat(80)}/f`;
  pack.entry(
    { name, mode: 0o4755, uid: 1000, mtime: new Date(5000), pax: { "SCHILY.xattr.user.a": "b" } },
    "hello",
  );
  pack.entry({ name: "dev", type: "character-device", devmajor: 1, devminor: 3 });
  pack.entry({ name: "pipe", type: "fifo" });
  pack.finalize();
  const entries = readAll(Buffer.concat(await Array.fromAsync(pack)));
  assert.deepEqual(
    entries.map(({ type }) => type),
    ["file", "character-device", "fifo"],
  );
  const [file] = entries;
  assert.equal(Buffer.from(file?.path ?? "", "latin1").toString(), name);
  assert.deepEqual(
    {
      mode: file?.mode,
      uid: file?.uid,
      mtimeNs: file?.mtimeNs,
      content: file?.content,
      xattrs: file?.xattrs,
    },
    { mode: 0o4755, uid: 1000, mtimeNs: 5_000_000_000n, content: "hello", xattrs: { "user.a": "62" } },
  );
});

test("TarParser gives the same entries however the archive is cut", async () => {
  const archive = await archiveOf(samples);
  const whole = readAll(archive);
  for (const chunkBytes of [1, 7, 511, 512, 513, 4096])
    assert.deepEqual(readAll(archive, { chunkBytes }), whole);
});

test("TarParser keeps the bytes of names that are not UTF-8", () => {
  const archive = Buffer.concat([withField(emptyFile, 0, "a\xff\xfe"), end]);
  assert.equal(readAll(archive)[0]?.path, "a\xff\xfe");
});

test("TarParser ends at a zero block, and at the end of the input between entries", () => {
  assert.equal(readAll(Buffer.concat([emptyFile, end, emptyFile])).length, 1);
  assert.equal(readAll(emptyFile).length, 1);
  assert.equal(readAll(Buffer.alloc(0)).length, 0);
});

describe("TarParser refuses", () => {
  const big = formatTarHeader({ path: "f", type: "file", content: Buffer.alloc(1000) });

  test("a wrong checksum", () => {
    const wrong = Buffer.from(emptyFile);
    wrong[0] = 0x67;
    refuses(Buffer.concat([wrong, end]), "data-loss");
  });

  test("what is no archive at all", () => {
    refuses(Buffer.from("<html>".repeat(200)), "data-loss");
    refuses(Buffer.from("short"), "data-loss");
  });

  test("an archive that ends inside a file, a header, or after an extended header", () => {
    refuses(Buffer.concat([big, Buffer.alloc(500)]), "data-loss");
    refuses(Buffer.concat([big, Buffer.alloc(999)]), "data-loss");
    refuses(emptyFile.subarray(0, 300), "data-loss");
    refuses(paxHeader(paxRecord("path", "x")), "data-loss");
    refuses(Buffer.concat([paxHeader(paxRecord("path", "x")), end]), "data-loss");
  });

  test("but not one whose last file lacks its padding, as Docker's CLI writes them", () => {
    for (const bytes of [1000, 1010]) {
      const parser = new TarParser();
      const [entry] = [...parser.feed(Buffer.concat([big, Buffer.alloc(bytes)]))];
      assert.equal(entry?.kind, "entry");
      parser.finish();
    }
  });

  test("sizes that lie", () => {
    refuses(Buffer.concat([withField(emptyFile, 124, "77777777777\0"), end]), "data-loss");
    refuses(
      Buffer.concat([withField(emptyFile, 124, Buffer.from("ffffffffffffffffffffffff", "hex")), end]),
      "data-loss",
    );
    refuses(
      Buffer.concat([withField(emptyFile, 124, Buffer.from("80ffffffffffffffffffffff", "hex")), end]),
      "data-loss",
    );
    refuses(Buffer.concat([withField(emptyFile, 124, "12x45678901\0"), end]), "data-loss");
    refuses(Buffer.concat([paxHeader(paxRecord("size", "99999999999999999")), emptyFile, end]), "data-loss");
    refuses(Buffer.concat([paxHeader(paxRecord("size", "-1")), emptyFile, end]), "data-loss");
  });

  test("extended headers beyond the limit, before they are read", () => {
    const huge = withField(withField(emptyFile, 124, "77777777777\0"), 156, "x");
    refuses(huge, "invalid-argument");
    refuses(withField(huge, 156, "L"), "invalid-argument");
    refuses(paxHeader(paxRecord("comment", "x".repeat(3000))), "invalid-argument", {
      maxMetadataBytes: 2000,
    });
  });

  test("records that are malformed", () => {
    for (const records of [
      "x",
      "5 a\n",
      "99 path=x\n",
      "0 path=x\n",
      "9 path=xy",
      "11 path\0=xy\n",
      " 9 path=x\n",
    ]) {
      refuses(Buffer.concat([paxHeader(records), emptyFile, end]), "data-loss");
    }
    for (const [key, value] of [
      ["path", "a\0b"],
      ["linkpath", "\0"],
      ["mtime", "1e5"],
      ["mtime", "x"],
      ["uid", "4294967295"],
      ["gid", "x"],
      ["SCHILY.xattr.user.\0", "x"],
    ] as const) {
      refuses(Buffer.concat([paxHeader(paxRecord(key, value)), emptyFile, end]), "data-loss");
    }
  });

  test("types that no layer has", () => {
    for (const type of ["V", "M", "D", "N", "A", "z", "\xff"]) {
      refuses(Buffer.concat([withField(emptyFile, 156, type), end]), "invalid-argument");
    }
  });

  test("names and numbers of entries beyond the limits", () => {
    refuses(
      Buffer.concat([paxHeader(paxRecord("path", "x".repeat(4096))), emptyFile, end]),
      "invalid-argument",
    );
    refuses(Buffer.concat([emptyFile, emptyFile, emptyFile, end]), "invalid-argument", { maxEntries: 2 });
    refuses(Buffer.concat([paxHeader("", "g"), paxHeader("", "g"), emptyFile, end]), "invalid-argument", {
      maxEntries: 2,
    });
  });

  test("sparse maps that lie", () => {
    const data = Buffer.concat([big, Buffer.alloc(1024)]);
    for (const map of [
      "0,1000,500,0",
      "0,2000",
      "0,999",
      "0",
      "5,x",
      "0,1000,9999,1",
      "9007199254740991,1000",
    ]) {
      const records = paxRecord("GNU.sparse.size", "5000") + paxRecord("GNU.sparse.map", map);
      refuses(Buffer.concat([paxHeader(records), data, end]), "data-loss");
    }
    const version = (major: string) =>
      paxRecord("GNU.sparse.major", major) +
      paxRecord("GNU.sparse.minor", "0") +
      paxRecord("GNU.sparse.realsize", "5");
    refuses(Buffer.concat([paxHeader(version("2")), data, end]), "invalid-argument");
    refuses(Buffer.concat([paxHeader(version("1")), data, end]), "data-loss");
    const endless = formatTarHeader({ path: "f", type: "file", content: Buffer.alloc(8 << 20) });
    const lines = Buffer.from(`1000000\n${"1\n".repeat(4 << 20)}`).subarray(0, 8 << 20);
    refuses(Buffer.concat([paxHeader(version("1")), endless, lines, end]), "invalid-argument");
  });
});

test("writeTar() and TarParser agree", async () => {
  const entries = readAll(await archiveOf(samples));
  assert.deepEqual(
    entries.map(({ path, type, linkPath, mode, uid, gid, mtimeNs, xattrs, content }) => ({
      path,
      type,
      linkPath,
      mode,
      uid,
      gid,
      mtimeNs,
      xattrs,
      content,
    })),
    samples.map((sample) => {
      const content =
        sample.content instanceof Uint8Array ? Buffer.from(sample.content).toString("latin1") : "";
      const path = Buffer.from(sample.path as string).toString("latin1");
      return {
        path: sample.type === "directory" ? `${path}/` : path,
        type: sample.type,
        linkPath: sample.linkPath ?? "",
        mode: sample.mode ?? (sample.type === "symlink" ? 0o777 : 0o644),
        uid: sample.uid ?? 0,
        gid: sample.gid ?? 0,
        mtimeNs: sample.mtimeNs ?? 0n,
        xattrs: Object.fromEntries(
          [...(sample.xattrs ?? [])].map(([name, value]) => [name, Buffer.from(value).toString("hex")]),
        ),
        content,
      };
    }),
  );
});

test("GNU tar reads what writeTar() writes", async () => {
  await using dir = await openTempDir();
  const archive = await archiveOf(samples.filter(({ type }) => !type.endsWith("device")));
  execFileSync("tar", ["-x", "--no-same-owner", "-C", dir.path], { input: archive });
  assert.equal(readFileSync(join(dir.path, "h"), "utf8"), "content");
  assert.equal(readFileSync(join(dir.path, "l".repeat(120), "ü"), "utf8"), "z".repeat(1500));
  assert.deepEqual(await archiveOf(samples), await archiveOf(samples));
});
