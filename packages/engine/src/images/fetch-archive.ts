import { imageFaults } from "./faults.ts";

/**
 * The archive that `docker import` names by its address: `http://…`, `https://…`, or the same without `http://`.
 *
 * @throws {Fault} `internal` when nobody has it, with the first bytes
 */
export async function* fetchArchive(
  source: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const url = /^https?:\/\//.test(source) ? source : `http://${source}`;
  const shown = url.replace(/\/\/[^/@]*@/, "//");
  if (/^https?:\/\/(\/|$)/.test(url))
    throw imageFaults.ARCHIVE_UNREACHABLE(shown, "http: no Host in request URL");
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    signal.throwIfAborted();
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    const [, place] = /^connect ECONNREFUSED (.*)$/.exec(cause instanceof Error ? cause.message : "") ?? [];
    const why =
      place !== undefined
        ? `dial tcp ${place}: connect: connection refused`
        : cause instanceof Error
          ? cause.message
          : String(cause);
    throw imageFaults.ARCHIVE_UNREACHABLE(shown, why).because(error);
  }
  if (!response.ok)
    throw imageFaults.ARCHIVE_UNREACHABLE(shown, `status ${response.status} ${response.statusText}`);
  for await (const chunk of response.body ?? []) yield chunk as Uint8Array;
}
