import type { RegistryEndpoint } from "./endpoint.ts";
import { registryFaults } from "./faults.ts";
import { parseNextPage } from "./next-page.ts";
import { printable } from "./registry-error.ts";
import { discardBody, readSmallBody } from "./transport.ts";

/** A repository that was found. */
export interface FoundRepository {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly isOfficial: boolean;
}

export interface SearchRequest {
  readonly term: string;
  readonly limit: number;
  readonly signal?: AbortSignal | undefined;
}

const maxPageBytes = 4 << 20;
const maxPages = 100;

/**
 * Repositories whose names have a term in them: by the registry's search (`/v1/search`, which Docker Hub has), or, where there is none,
 * by its catalogue.
 *
 * @param base that answers, up to `/v2`
 * @throws {Fault} `not-implemented` when it has neither; `unauthenticated`, `unavailable`
 */
export async function searchRegistry(
  endpoint: RegistryEndpoint,
  base: string,
  request: SearchRequest,
): Promise<readonly FoundRepository[]> {
  return (await searchByIndex(endpoint, base, request)) ?? (await searchCatalogue(endpoint, base, request));
}

/** `undefined`: it has no search. */
async function searchByIndex(
  endpoint: RegistryEndpoint,
  base: string,
  { term, limit, signal }: SearchRequest,
): Promise<readonly FoundRepository[] | undefined> {
  const query = new URLSearchParams({ q: term, n: String(limit) });
  const response = await endpoint.request({
    method: "GET",
    path: new URL(`/v1/search?${query.toString()}`, base),
    scopes: [],
    accept: [200, 400, 401, 403, 404, 405, 501],
    signal,
  });
  const isJson = /^application\/json\b/.test(response.headers["content-type"] ?? "");
  if (response.status !== 200 || !isJson) {
    await discardBody(response);
    return undefined;
  }
  const { results } = await readObject(response, signal);
  return (Array.isArray(results) ? (results as readonly unknown[]) : []).flatMap(readResult).slice(0, limit);
}

function readResult(result: unknown): readonly FoundRepository[] {
  const fields = (typeof result === "object" && result !== null ? result : {}) as Readonly<
    Record<string, unknown>
  >;
  const { name, description, star_count: stars, is_official: isOfficial } = fields;
  if (typeof name !== "string" || name === "") return [];
  return [
    {
      name: printable(name),
      description: typeof description === "string" ? printable(description) : "",
      stars: typeof stars === "number" && Number.isSafeInteger(stars) ? stars : 0,
      isOfficial: isOfficial === true,
    },
  ];
}

async function searchCatalogue(
  endpoint: RegistryEndpoint,
  base: string,
  { term, limit, signal }: SearchRequest,
): Promise<readonly FoundRepository[]> {
  const { host } = new URL(base);
  const found: FoundRepository[] = [];
  let path: URL | undefined = new URL(`${base}/_catalog?n=1000`);
  for (let page = 0; path !== undefined && page < maxPages && found.length < limit; page++) {
    const response = await endpoint.request({
      method: "GET",
      path,
      scopes: [],
      accept: [200, 404, 405, 501],
      signal,
    });
    if (response.status !== 200) {
      await discardBody(response);
      throw registryFaults.NO_SEARCH(host);
    }
    const { url, headers } = response;
    const { repositories } = await readObject(response, signal);
    for (const name of Array.isArray(repositories) ? (repositories as readonly unknown[]) : []) {
      if (typeof name !== "string" || !/^[a-z0-9._/-]{1,255}$/.test(name) || !name.includes(term)) continue;
      found.push({ name: `${host}/${name}`, description: "", stars: 0, isOfficial: false });
    }
    path = parseNextPage(headers["link"], url);
  }
  return found.slice(0, limit);
}

async function readObject(
  response: Awaited<ReturnType<RegistryEndpoint["request"]>>,
  signal: AbortSignal | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const { what } = response;
  const body = await readSmallBody(response, { what, maxBytes: maxPageBytes, signal });
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // as what is no object
  }
  throw registryFaults.ANSWER_INVALID(what, "the answer is not a JSON object");
}
