import type { ServerResponse } from "node:http";
import { mediaTypes } from "@hawser/oci";
import type { Caller } from "./access.ts";
import {
  type Call,
  type HandlerParts,
  parseDigest,
  parseManifestReference,
  sendEmpty,
  sendJson,
} from "./call.ts";
import { serverFaults } from "./faults.ts";
import { referrersIndex } from "./registry-service.ts";

/** distribution-spec, end-8. */
export async function listTags(
  { service, pullThrough }: HandlerParts,
  { response, url, repository }: Call,
): Promise<void> {
  const page = readPage(url);
  const upstream = await pullThrough?.listTags(repository);
  if (upstream === undefined && !service.index.hasRepository(repository)) {
    throw serverFaults.NAME_UNKNOWN(repository);
  }
  const items =
    upstream?.filter((tag) => tag > page.after) ??
    service.index.listTags(repository, { after: page.after, limit: page.limit + 1 });
  sendPage(response, { items, page, path: `/v2/${repository}/tags/list` }, (tags) => ({
    name: repository,
    tags,
  }));
}

export function listRepositories(
  { service }: HandlerParts,
  at: { readonly response: ServerResponse; readonly url: URL; readonly caller: Caller },
): void {
  const page = readPage(at.url);
  const names: string[] = [];
  for (let { after } = page; names.length <= page.limit; ) {
    const more = service.index.listRepositories({ after, limit: page.limit + 1 });
    names.push(...more.filter((repository) => at.caller.lists(repository)));
    after = more.at(-1) ?? "";
    if (more.length <= page.limit) break;
  }
  sendPage(at.response, { items: names.slice(0, page.limit + 1), page, path: "/v2/_catalog" }, (items) => ({
    repositories: items,
  }));
}

interface Page {
  readonly after: string;
  readonly limit: number;
  /** The client has said how many. */
  readonly asked: boolean;
}

const maxPage = 10_000;

function readPage(url: URL): Page {
  const text = url.searchParams.get("n");
  const after = url.searchParams.get("last") ?? "";
  if (text === null) return { after, limit: maxPage, asked: false };
  if (!/^\d{1,9}$/.test(text)) throw serverFaults.PAGE_INVALID(text.slice(0, 50));
  return { after, limit: Math.min(Number(text), maxPage), asked: true };
}

/** `items`: one more than wanted tells that there are more. */
function sendPage(
  response: ServerResponse,
  list: { readonly items: readonly string[]; readonly page: Page; readonly path: string },
  body: (items: readonly string[]) => object,
): void {
  const { page, path } = list;
  const items = list.items.slice(0, page.limit);
  const last = items.at(-1);
  if (list.items.length > page.limit && last !== undefined) {
    const query = new URLSearchParams({ n: String(page.limit), last });
    response.setHeader("Link", `<${path}?${query.toString()}>; rel="next"`);
  }
  sendJson(response, 200, body(items));
}

/** distribution-spec, end-9. */
export async function deleteManifest(
  { service, deletes }: HandlerParts,
  { response, repository, rest }: Call,
): Promise<void> {
  if (!deletes) throw serverFaults.UNSUPPORTED("manifests are not removed here");
  await service.removeManifest(repository, parseManifestReference(rest));
  sendEmpty(response, 202);
}

/** distribution-spec, end-10. */
export async function deleteBlob(
  { service, deletes }: HandlerParts,
  { response, repository, rest }: Call,
): Promise<void> {
  if (!deletes) throw serverFaults.UNSUPPORTED("blobs are not removed here");
  await service.removeBlob(repository, parseDigest(rest));
  sendEmpty(response, 202);
}

/** distribution-spec, end-12. */
export async function getReferrers(
  { service, pullThrough }: HandlerParts,
  { response, repository, rest, url }: Call,
): Promise<void> {
  const subject = parseDigest(rest);
  const all =
    (await pullThrough?.listReferrers(repository, subject)) ??
    (await service.listReferrers(repository, subject));
  const wanted = url.searchParams.getAll("artifactType");
  const shown = wanted.length === 0 ? all : all.filter(({ artifactType }) => wanted.includes(artifactType));
  if (wanted.length > 0) response.setHeader("OCI-Filters-Applied", "artifactType");
  sendJson(response, 200, referrersIndex(shown), mediaTypes.ociIndex);
}
