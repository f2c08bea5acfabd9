import { Fault, shownUrl } from "@hawser/base";
import type { WebClient } from "@hawser/registry/client";
import { imageFaults } from "./faults.ts";

/**
 * The archive that `docker import` names by its address: `http://…`, `https://…`, or the same without `http://`.
 *
 * @throws {Fault} `internal` when nobody has it, or it breaks off
 */
export async function* fetchArchive(
  web: WebClient,
  source: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const address = /^https?:\/\//.test(source) ? source : `http://${source}`;
  // A URL parser would take the first folder of a path for a host.
  const url = /^https?:\/\/(\/|$)/.test(address) ? null : URL.parse(address);
  const get = `Get ${JSON.stringify(shownUrl(address))}`;
  if (url === null) throw imageFaults.ARCHIVE_UNREACHABLE(`${get}: http: no Host in request URL`);
  try {
    const file = await web.get(url, { signal });
    if (file.status >= 200 && file.status < 300) return yield* file.chunks;
    await file.discard();
    throw imageFaults.ARCHIVE_UNREACHABLE(`${get}: status ${file.status} ${file.statusText}`);
  } catch (error) {
    if (!Fault.is(error, "unavailable")) throw error;
    throw imageFaults.ARCHIVE_UNREACHABLE(error.message).because(error);
  }
}
