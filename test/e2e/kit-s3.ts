import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  CreateBucketCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { eventually, openTempDir } from "@hawser/base/testing";
import { root } from "../../tools/tree.ts";
import { startProgram } from "./kit-process.ts";

/** A real S3 server: OpenStack Swift with its S3 API (Debian's python3-swift), whole, in one process. */
export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  makeBucket(name: string): Promise<void>;
  put(bucket: string, key: string, body: string): Promise<void>;
  /** Keys of a bucket, in order. */
  keys(bucket: string): Promise<readonly string[]>;
  /** Keys of uploads in parts that are under way. */
  uploads(bucket: string): Promise<readonly string[]>;
}

const credentials = { accessKeyId: "test:tester", secretAccessKey: "a-secret" };

export async function startS3(): Promise<S3Server> {
  await using resources = new AsyncDisposableStack();
  const dir = resources.use(await openTempDir("hawser-s3-"));
  const folder = join(dir.path, "swift");
  await mkdir(folder);
  const script = join(root, "test/e2e/s3-server.py");
  const { accessKeyId, secretAccessKey } = credentials;
  const program = await startProgram(["/usr/bin/python3", script, folder, accessKeyId, secretAccessKey], {
    log: join(dir.path, "log"),
  });
  resources.defer(() => program.kill("SIGKILL"));
  const endpointOf = () => /listens (http:\S+)/.exec(program.output())?.[1];
  await eventually(() => endpointOf() !== undefined || program.hasEnded(), {
    deadlineMs: 60_000,
    what: "the S3 server listens",
  });
  const endpoint = endpointOf();
  if (endpoint === undefined) throw new Error(`the S3 server ended: ${program.output()}`);
  const client = new S3Client({
    endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { ...credentials },
  });
  resources.defer(() => client.destroy());
  const moved = resources.move();
  return {
    endpoint,
    credentials,
    async makeBucket(Bucket) {
      await client.send(new CreateBucketCommand({ Bucket }));
    },
    async put(Bucket, Key, Body) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body }));
    },
    async keys(Bucket) {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
      return Contents.map(({ Key = "" }) => Key);
    },
    async uploads(Bucket) {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
      return Uploads.map(({ Key = "" }) => Key);
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}
