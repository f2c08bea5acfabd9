import { errnoOf, Fault } from "@hawser/base";
import type { Digest, DigestAlgorithm } from "@hawser/oci";
import type { RegistryService } from "./registry-service.ts";

/** A blob on its way here from another registry. It goes on as long as somebody reads it. */
export interface Arrival {
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Of its upload; absent before that has begun. */
  readonly uploadId: string | undefined;
  /** Bytes that can be read: the last one only when all of them are checked. */
  readonly readableBytes: number;
  readonly isDone: boolean;
  /** Be one of its readers. When the last one goes before its end, it is given up. */
  join(): Disposable;
  /** Until more can be read. @throws what ended it */
  more(): Promise<void>;
}

/** Begin to fetch a blob into a repository. */
export function openArrival(
  service: RegistryService,
  wanted: {
    readonly repository: string;
    readonly digest: Digest;
    readonly algorithm: DigestAlgorithm;
    readonly sizeBytes: number;
    readonly fetch: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
    /** Nobody can join it any more; may be called twice. */
    readonly onEnd: (failure: Fault | undefined) => void;
  },
): Arrival {
  const { repository, digest, algorithm, sizeBytes, fetch, onEnd } = wanted;
  const stop = new AbortController();
  let uploadId: string | undefined;
  let written = 0;
  let readers = 0;
  let isDone = false;
  let failure: Fault | undefined;
  let grown = Promise.withResolvers<void>();
  const tell = () => {
    grown.resolve();
    grown = Promise.withResolvers<void>();
  };
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of fetch(stop.signal)) {
      yield chunk;
      // Whoever asks for the next one has written this one.
      written += chunk.length;
      tell();
    }
  }
  const run = async () => {
    try {
      const { id } = await service.beginUpload(repository, algorithm);
      uploadId = id;
      await service.appendUpload(repository, id, { bytes: counted(), length: sizeBytes });
      await service.finishUpload(repository, id, digest);
      isDone = true;
    } catch (error) {
      failure = Fault.from(error);
      if (uploadId !== undefined) await service.storage.uploads.cancel(uploadId);
    } finally {
      onEnd(failure);
      tell();
    }
  };
  void run();
  return {
    digest,
    sizeBytes,
    get uploadId() {
      return uploadId;
    },
    get readableBytes() {
      return isDone ? sizeBytes : Math.min(written, sizeBytes - 1);
    },
    get isDone() {
      return isDone;
    },
    join() {
      readers += 1;
      return {
        [Symbol.dispose]: () => {
          readers -= 1;
          if (readers > 0 || isDone) return;
          stop.abort();
          onEnd(undefined);
        },
      };
    },
    async more() {
      if (!isDone && failure === undefined) await grown.promise;
      if (failure instanceof Fault) throw failure;
    },
  };
}

/** Part of a blob while it comes. @param open begins its arrival or finds the one that is under way */
export async function* readArrival(
  open: () => Arrival,
  { storage }: RegistryService,
  range: { readonly start: number; readonly end: number },
): AsyncGenerator<Uint8Array> {
  const arrival = open();
  using _reader = arrival.join();
  let { start } = range;
  while (start <= range.end) {
    const { isDone, uploadId, digest, readableBytes } = arrival;
    const end = Math.min(readableBytes - 1, range.end);
    if (end < start || (uploadId === undefined && !isDone)) {
      await arrival.more();
      continue;
    }
    try {
      const bytes = isDone
        ? storage.read(digest, { start, end })
        : storage.uploads.read(uploadId ?? "", { start, end });
      for await (const chunk of bytes) {
        start += chunk.length;
        yield chunk;
      }
    } catch (error) {
      // It became a blob meanwhile, or it was given up.
      if (isDone || errnoOf(error) !== "ENOENT") throw error;
      await arrival.more();
    }
  }
}
