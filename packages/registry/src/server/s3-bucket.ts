import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { errnoOf, Fault, Semaphore } from "@hawser/base";
import { serverFaults } from "./faults.ts";

/** Where a bucket is. Without keys those of the environment, of `~/.aws`, or of the machine's role are taken. */
export interface S3Options {
  readonly bucket: string;
  /** Of everything in it: `registry/`. Default: none. */
  readonly prefix?: string;
  /** `https://s3.example.org`; default: Amazon's for the region. */
  readonly endpoint?: string;
  /** Default: the environment's, or `us-east-1`. */
  readonly region?: string;
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** The bucket is part of the path, not of the host's name. Default: yes with an endpoint. */
  readonly pathStyle?: boolean;
}

export interface S3Object {
  /** Without the prefix. */
  readonly key: string;
  readonly sizeBytes: number;
  readonly storedMs: number;
}

interface PartsUpload {
  readonly Key: string;
  readonly UploadId: string;
}

/** S3 takes parts from 5 MiB on, and 10,000 of them at most. */
const partBytes = 16 << 20;
const maxParts = 10_000;
/** So many parts of all uploads together are in memory and on their way. */
const partsAtOnce = 4;
/** How often a download that broke off is taken up again. */
const readTries = 4;

/**
 * Objects below a prefix of a bucket.
 *
 * @throws {Fault} everywhere `unavailable` when the bucket cannot be used: it says why
 */
export class S3Bucket implements Disposable {
  /** For people: `images at https://s3.example.org`. */
  readonly name: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #parts = new Semaphore(partsAtOnce);
  /** Uploads in parts that could not be given up when they failed. */
  #leftover: readonly PartsUpload[] = [];

  constructor(options: S3Options) {
    const { bucket, prefix = "", endpoint, credentials } = options;
    this.name = endpoint === undefined ? bucket : `${bucket} at ${endpoint}`;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#client = new S3Client({
      region: options.region ?? process.env["AWS_REGION"] ?? "us-east-1",
      ...(endpoint !== undefined && { endpoint }),
      forcePathStyle: options.pathStyle ?? endpoint !== undefined,
      ...(credentials && { credentials: { ...credentials } }), // the client writes into it
      maxAttempts: 4,
      // Other servers than Amazon's do not know the newer checksums; every payload is signed with its SHA-256 or goes through TLS.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      requestHandler: {
        connectionTimeout: 10_000,
        socketTimeout: 60_000,
        httpAgent: { maxSockets: 1024 },
        httpsAgent: { maxSockets: 1024 },
      },
    });
  }

  /** Size; `undefined`: not there. */
  async stat(key: string): Promise<number | undefined> {
    try {
      const head = await this.#client.send(new HeadObjectCommand(this.#at(key)));
      return head.ContentLength ?? 0;
    } catch (error) {
      // The answer to a HEAD has no body: only the status tells.
      if (statusOf(error) === 404) return undefined;
      throw this.#fault(error);
    }
  }

  /** A small object; `undefined`: not there. */
  async get(key: string): Promise<string | undefined> {
    try {
      const { Body } = await this.#client.send(new GetObjectCommand(this.#at(key)));
      return (await Body?.transformToString()) ?? "";
    } catch (error) {
      if (isNoSuchKey(error)) return undefined;
      throw this.#fault(error);
    }
  }

  /**
   * Part of an object, or all. A download that breaks off goes on where it was.
   *
   * @throws {Fault} `missing` when there is no such object
   */
  async *read(
    key: string,
    options: {
      readonly range?: { readonly start: number; readonly end: number } | undefined;
      readonly missing: () => Fault;
    },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { range, missing } = options;
    let at = range?.start ?? 0;
    let end = range?.end;
    for (let tries = 1; ; ) {
      try {
        const wanted = at > 0 || end !== undefined ? { Range: `bytes=${at}-${end ?? ""}` } : {};
        const answer = await this.#client.send(new GetObjectCommand({ ...this.#at(key), ...wanted }));
        end ??= at + (answer.ContentLength ?? 0) - 1;
        // The body is destroyed when whoever reads it goes.
        for await (const chunk of answer.Body as Readable as AsyncIterable<Uint8Array>) {
          at += chunk.length;
          tries = 1;
          yield chunk;
        }
        if (at > end) return;
        if (++tries > readTries) throw new Error(`it ended ${end + 1 - at} bytes early`);
      } catch (error) {
        if (isNoSuchKey(error)) throw missing();
        if (statusOf(error) !== undefined || error instanceof Fault || ++tries > readTries)
          throw this.#fault(error);
      }
    }
  }

  async put(key: string, body: Uint8Array | string): Promise<void> {
    try {
      await this.#client.send(new PutObjectCommand({ ...this.#at(key), Body: body }));
    } catch (error) {
      throw this.#fault(error);
    }
  }

  /** No such object is fine. */
  async remove(key: string): Promise<void> {
    try {
      await this.#client.send(new DeleteObjectCommand(this.#at(key)));
    } catch (error) {
      if (!isNoSuchKey(error)) throw this.#fault(error);
    }
  }

  /** Objects whose key begins so, in order. */
  async *list(start: string): AsyncGenerator<S3Object, void, undefined> {
    let ContinuationToken: string | undefined;
    do {
      const page = await this.#client
        .send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: this.#prefix + start,
            ...(ContinuationToken !== undefined && { ContinuationToken }),
          }),
        )
        .catch((error: unknown) => {
          throw this.#fault(error);
        });
      for (const { Key = "", Size = 0, LastModified } of page.Contents ?? []) {
        yield {
          key: Key.slice(this.#prefix.length),
          sizeBytes: Size,
          storedMs: LastModified?.getTime() ?? 0,
        };
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
  }

  /** A file becomes an object: whole, or not at all. */
  async putFile(key: string, file: { readonly path: string; readonly sizeBytes: number }): Promise<void> {
    if (file.sizeBytes > partBytes) return await this.#putParts(key, file);
    using _place = await this.#parts.acquire();
    await this.put(key, await readPart(file.path, { start: 0, sizeBytes: file.sizeBytes }));
  }

  async #putParts(
    key: string,
    { path, sizeBytes }: { readonly path: string; readonly sizeBytes: number },
  ): Promise<void> {
    await this.#abort(...this.#leftover);
    const at = this.#at(key);
    const size = Math.max(partBytes, Math.ceil(sizeBytes / maxParts));
    const failed = new AbortController();
    let uploadId: string | undefined;
    try {
      const { UploadId } = await this.#client.send(new CreateMultipartUploadCommand(at));
      uploadId = UploadId ?? "";
      const sendPart = async (PartNumber: number): Promise<CompletedPart> => {
        using _place = await this.#parts.acquire(failed.signal);
        const start = (PartNumber - 1) * size;
        const Body = await readPart(path, { start, sizeBytes: Math.min(size, sizeBytes - start) });
        const command = new UploadPartCommand({ ...at, UploadId, PartNumber, Body });
        const { ETag } = await this.#client.send(command, { abortSignal: failed.signal });
        return { PartNumber, ...(ETag !== undefined && { ETag }) };
      };
      const sent = Array.from({ length: Math.ceil(sizeBytes / size) }, (_, index) => sendPart(index + 1));
      const Parts = await Promise.all(sent).catch(async (error: unknown) => {
        failed.abort();
        await Promise.allSettled(sent);
        throw error;
      });
      await this.#complete(key, { uploadId, Parts, sizeBytes });
    } catch (error) {
      if (uploadId !== undefined) await this.#abort({ Key: at.Key, UploadId: uploadId });
      throw this.#fault(error);
    }
  }

  async #complete(
    key: string,
    how: {
      readonly uploadId: string;
      readonly Parts: CompletedPart[];
      readonly sizeBytes: number;
    },
  ): Promise<void> {
    const { uploadId, Parts, sizeBytes } = how;
    try {
      await this.#client.send(
        new CompleteMultipartUploadCommand({
          ...this.#at(key),
          UploadId: uploadId,
          MultipartUpload: { Parts },
        }),
      );
    } catch (error) {
      // The answer to a first try may have been lost.
      if (codeOf(error) !== "NoSuchUpload" || (await this.stat(key)) !== sizeBytes) throw error;
    }
  }

  /** What cannot be given up now is before the next upload. */
  async #abort(...uploads: readonly PartsUpload[]): Promise<void> {
    const given = await Promise.allSettled(
      uploads.map((upload) =>
        this.#client.send(new AbortMultipartUploadCommand({ Bucket: this.#bucket, ...upload })),
      ),
    );
    const isLeft = (_upload: PartsUpload, index: number) => {
      const { reason } = given[index] as { readonly reason?: unknown };
      return reason !== undefined && codeOf(reason) !== "NoSuchUpload";
    };
    this.#leftover = [
      ...this.#leftover.filter((upload) => !uploads.includes(upload)),
      ...uploads.filter(isLeft),
    ];
  }

  /** Give up all uploads in parts below `start`. How many there were. */
  async abortUploads(start: string): Promise<number> {
    const found: PartsUpload[] = [];
    let markers: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | undefined = {};
    while (markers !== undefined) {
      const page: ListMultipartUploadsCommandOutput = await this.#client
        .send(
          new ListMultipartUploadsCommand({ Bucket: this.#bucket, Prefix: this.#prefix + start, ...markers }),
        )
        .catch((error: unknown) => {
          throw this.#fault(error);
        });
      for (const { Key = "", UploadId = "" } of page.Uploads ?? []) found.push({ Key, UploadId });
      markers =
        page.IsTruncated === true
          ? { KeyMarker: page.NextKeyMarker ?? "", UploadIdMarker: page.NextUploadIdMarker ?? "" }
          : undefined;
    }
    await this.#abort(...found);
    return found.length;
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }

  #at(key: string) {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  #fault(error: unknown): Fault {
    if (error instanceof Fault) return error;
    // Of a file of this machine.
    if (error instanceof Error && "path" in error && "syscall" in error) return Fault.from(error);
    return serverFaults.BUCKET_UNUSABLE(this.name, whyOf(error)).because(error);
  }
}

async function readPart(
  path: string,
  { start, sizeBytes }: { readonly start: number; readonly sizeBytes: number },
): Promise<Buffer> {
  await using file = await open(path, "r");
  const buffer = Buffer.allocUnsafeSlow(sizeBytes);
  for (let at = 0; at < sizeBytes; ) {
    const { bytesRead } = await file.read(buffer, at, sizeBytes - at, start + at);
    if (bytesRead === 0) throw new Error(`${path} is shorter than it was`);
    at += bytesRead;
  }
  return buffer;
}

function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

function codeOf(error: unknown): string {
  return error instanceof Error ? error.name : "";
}

function isNoSuchKey(error: unknown): boolean {
  return codeOf(error) === "NoSuchKey";
}

/** In an operator's words. */
function whyOf(error: unknown): string {
  const code = codeOf(error);
  const said = error instanceof Error ? error.message : String(error);
  switch (code) {
    case "NoSuchBucket":
      return "there is no such bucket";
    case "AccessDenied":
    case "InvalidAccessKeyId":
    case "SignatureDoesNotMatch":
    case "ExpiredToken":
    case "InvalidToken":
      return `the credentials are refused (${code}: ${said})`;
    case "CredentialsProviderError":
      return `there are no credentials (${said})`;
    case "PermanentRedirect":
    case "AuthorizationHeaderMalformed":
    case "IllegalLocationConstraintException":
      return `it is in another region (${said})`;
    default: {
      const status = statusOf(error);
      if (status === undefined) return `it does not answer (${errnoOf(error) ?? code}: ${said})`;
      return status === 403
        ? `the credentials are refused (${status})`
        : `it answers ${status} (${code}: ${said})`;
    }
  }
}
