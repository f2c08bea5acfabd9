import { createHash } from "node:crypto";
import { request as httpRequest } from "node:http";
import { silentLogger } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { openRegistry, type RegistryOptions } from "@hawser/registry/server";

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
}

export interface Ask {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** One request by hand: nothing is followed, nothing is added. */
export async function ask(
  url: string,
  method: string,
  path: string,
  { headers = {}, body }: Ask = {},
): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const request = httpRequest(new URL(path, url), {
    method,
    agent: false,
    headers: {
      ...(bytes && !("Transfer-Encoding" in headers) && { "Content-Length": bytes.length }),
      ...headers,
    },
  });
  request.on("error", reject);
  request.on("response", (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("error", reject);
    response.on("end", () =>
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
    );
  });
  request.end(bytes);
  return await promise;
}

export function digestOf(bytes: Uint8Array | string, algorithm: "sha256" | "sha512" = "sha256"): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** A registry of the test's own, or with HAWSER_REGISTRY_URL another one, which proves the suite. */
export async function openTestRegistry(options: Partial<RegistryOptions> = {}) {
  const given = process.env["HAWSER_REGISTRY_URL"];
  await using resources = new AsyncDisposableStack();
  const root = options.root ?? resources.use(await openTempDir()).path;
  const registry =
    given === undefined
      ? resources.use(await openRegistry({ host: "127.0.0.1", port: 0, log: silentLogger, ...options, root }))
      : undefined;
  const url = registry?.url ?? given ?? "";
  const moved = resources.move();
  return {
    url,
    registry,
    ask: (method: string, path: string, what?: Ask) => ask(url, method, path, what),
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

export type TestRegistry = Awaited<ReturnType<typeof openTestRegistry>>;

export const types = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;

export function describeBlob(bytes: Uint8Array | string, mediaType: string) {
  return { mediaType, digest: digestOf(bytes), size: Buffer.byteLength(bytes) };
}

/** Push a blob with one request after the first. */
export async function pushBlob(
  registry: Pick<TestRegistry, "ask">,
  repository: string,
  bytes: Uint8Array | string,
): Promise<string> {
  const digest = digestOf(bytes);
  const begun = await registry.ask("POST", `/v2/${repository}/blobs/uploads/`);
  const location = String(begun.headers["location"]);
  const put = await registry.ask("PUT", `${location}?digest=${digest}`, { body: bytes });
  if (put.status !== 201) throw new Error(`a blob was not taken: ${put.status} ${put.body.toString()}`);
  return digest;
}

/** Push an image of one layer, and return its manifest's text. */
export async function pushImage(
  registry: Pick<TestRegistry, "ask">,
  repository: string,
  options: { readonly reference?: string; readonly layer?: string; readonly more?: object } = {},
): Promise<string> {
  const config = "{}";
  const layer = options.layer ?? "a layer";
  await pushBlob(registry, repository, config);
  await pushBlob(registry, repository, layer);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: describeBlob(config, types.config),
    layers: [describeBlob(layer, types.layer)],
    ...options.more,
  });
  const put = await registry.ask(
    "PUT",
    `/v2/${repository}/manifests/${options.reference ?? digestOf(manifest)}`,
    {
      headers: { "Content-Type": types.manifest },
      body: manifest,
    },
  );
  if (put.status !== 201) throw new Error(`a manifest was not taken: ${put.status} ${put.body.toString()}`);
  return manifest;
}
