import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import type { Digest } from "@hawser/oci";
import type { BlobStorage } from "../blob-storage.ts";

/** A storage of a test's own. */
export interface ContractStorage extends AsyncDisposable {
  readonly storage: BlobStorage;
  /** The same one, as a registry that starts again finds it. */
  reopen(): Promise<BlobStorage>;
}

const limits = { maxBytes: 1 << 30 };

/** What each `BlobStorage` does. */
export function describeBlobStorage(name: string, open: () => Promise<ContractStorage>): void {
  describe(name, () => {
    let opened: ContractStorage;
    let storage: BlobStorage;
    before(async () => {
      opened = await open();
      ({ storage } = opened);
    });
    after(() => opened[Symbol.asyncDispose]());

    const readAll = async (digest: Digest, range?: { readonly start: number; readonly end: number }) =>
      Buffer.concat(await Array.fromAsync(storage.read(digest, range), (chunk) => Buffer.from(chunk)));
    const upload = async (bytes: Uint8Array, digest = digestOf(bytes)) => {
      const { id } = await storage.uploads.create("team/app", { algorithm: "sha256" });
      await storage.uploads.append(id, piecesOf(bytes), limits);
      await storage.finishUpload(id, digest);
    };
    const sizes = async () =>
      new Map((await Array.fromAsync(storage.list())).map(({ digest, sizeBytes }) => [digest, sizeBytes]));

    test("what is written is there until it is removed", async () => {
      const bytes = randomBytes(1000);
      const digest = digestOf(bytes);
      assert.equal(await storage.stat(digest), undefined);
      await storage.write(digest, bytes);
      await storage.write(digest, bytes);
      assert.equal(await storage.stat(digest), 1000);
      assert.deepEqual(await readAll(digest), bytes);
      assert.deepEqual(await readAll(digest, { start: 10, end: 10 }), bytes.subarray(10, 11));
      assert.deepEqual(await readAll(digest, { start: 0, end: 99 }), bytes.subarray(0, 100));
      assert.deepEqual(await readAll(digest, { start: 900, end: 999 }), bytes.subarray(900));
      assert.equal((await sizes()).get(digest), 1000);
      await storage.remove(digest);
      await storage.remove(digest);
      assert.equal(await storage.stat(digest), undefined);
      await assert.rejects(readAll(digest), { kind: "not-found", code: "BLOB_UNKNOWN" });
      assert.equal((await sizes()).has(digest), false);
    });

    test("an upload becomes a blob, whatever its size", async () => {
      for (const size of [0, 1, (16 << 20) - 1, 16 << 20, (33 << 20) + 7]) {
        const bytes = randomBytes(size);
        const digest = digestOf(bytes);
        await upload(bytes);
        assert.equal(await storage.stat(digest), size);
        assert.equal(digestOf(await readAll(digest)), digest);
        assert.equal((await sizes()).get(digest), size);
        if (size > 16 << 20) {
          const range = { start: (16 << 20) - 5, end: (16 << 20) + 5 };
          assert.deepEqual(await readAll(digest, range), bytes.subarray(range.start, range.end + 1));
        }
        const [entry] = (await Array.fromAsync(storage.list())).filter((its) => its.digest === digest);
        assert.ok(Math.abs((entry?.storedMs ?? 0) - Date.now()) < 60_000, "stored a moment ago");
      }
    });

    test("an upload whose digest is another is refused, and nothing of it stays", async () => {
      const wanted = digestOf("others");
      const { id } = await storage.uploads.create("team/app", { algorithm: "sha256" });
      await storage.uploads.append(id, piecesOf(randomBytes(100)), limits);
      await assert.rejects(storage.finishUpload(id, wanted), { code: "DIGEST_INVALID" });
      assert.equal(await storage.stat(wanted), undefined);
      assert.equal(await storage.uploads.find(id), undefined);
      await assert.rejects(storage.finishUpload(id, wanted), { code: "BLOB_UPLOAD_UNKNOWN" });
    });

    test("an upload keeps what came before a failure, and grows on after a restart", async () => {
      const bytes = randomBytes(300);
      const { id } = await storage.uploads.create("team/app", { algorithm: "sha256" });
      async function* broken() {
        yield bytes.subarray(0, 100);
        throw new Error("the client is gone");
      }
      await assert.rejects(storage.uploads.append(id, broken(), limits), /gone/);
      assert.deepEqual(await storage.uploads.find(id), { id, repository: "team/app", sizeBytes: 100 });
      storage = await opened.reopen();
      assert.deepEqual(await storage.uploads.find(id), { id, repository: "team/app", sizeBytes: 100 });
      await storage.uploads.append(id, piecesOf(bytes.subarray(100)), limits);
      const part = await Array.fromAsync(storage.uploads.read(id, { start: 98, end: 102 }), (its) =>
        Buffer.from(its),
      );
      assert.deepEqual(Buffer.concat(part), bytes.subarray(98, 103));
      await storage.finishUpload(id, digestOf(bytes));
      assert.deepEqual(await readAll(digestOf(bytes)), bytes);
    });

    test("an upload that is too large is refused; one that is given up, or idle, goes", async () => {
      const { uploads } = storage;
      const { id } = await uploads.create("team/app", { algorithm: "sha256" });
      await assert.rejects(uploads.append(id, piecesOf(randomBytes(100)), { maxBytes: 99 }), {
        kind: "resource-exhausted",
      });
      assert.deepEqual(await uploads.listIdle(Date.now() - 60_000), []);
      assert.deepEqual(await uploads.listIdle(Date.now() + 60_000), [id]);
      await uploads.cancel(id);
      await uploads.cancel(id);
      assert.equal(await uploads.find(id), undefined);
      assert.deepEqual(await uploads.listIdle(Date.now() + 60_000), []);
      await assert.rejects(uploads.append(id, piecesOf(randomBytes(1)), limits), {
        code: "BLOB_UPLOAD_UNKNOWN",
      });
    });

    test("an upload that still grows is not idle, however long ago it began", async () => {
      const { uploads } = storage;
      const { id } = await uploads.create("team/app", { algorithm: "sha256" });
      const afterMs = Date.now() + 50;
      await eventually(() => Date.now() > afterMs + 50);
      await uploads.append(id, piecesOf(randomBytes(10)), limits);
      assert.deepEqual(await uploads.listIdle(afterMs), []);
      await uploads.cancel(id);
    });

    test("blobs of SHA-512 are beside those of SHA-256", async () => {
      const bytes = randomBytes(50);
      const digest = `sha512:${createHash("sha512").update(bytes).digest("hex")}` as Digest;
      const { id } = await storage.uploads.create("team/app", { algorithm: "sha512" });
      await storage.uploads.append(id, piecesOf(bytes), limits);
      await storage.finishUpload(id, digest);
      assert.deepEqual(await readAll(digest), bytes);
      assert.equal((await sizes()).get(digest), 50);
    });

    test("many who read and write at once do not disturb each other", async () => {
      const all = Array.from({ length: 20 }, () => randomBytes(200_000));
      await Promise.all(all.map((bytes) => upload(bytes)));
      const read = await Promise.all(all.map((bytes) => readAll(digestOf(bytes))));
      assert.deepEqual(read.map(digestOf), all.map(digestOf));
    });
  });
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
