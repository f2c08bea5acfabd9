import { registryFaults } from "./faults.ts";
import {
  describeRequest,
  discardBody,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from "./transport.ts";

export interface FollowedResponse extends TransportResponse {
  /** Whoever answered in the end. */
  readonly url: URL;
  /** The request that was answered, as faults call it. */
  readonly what: string;
}

const redirects = new Set([301, 302, 303, 307, 308]);

/** Of one request. */
const maxRedirects = 10;

/**
 * As `transport.send`, redirects followed where nothing but a question is sent.
 *
 * @param onward what is asked at the next address: what is secret goes on from here or does not
 * @throws {Fault} `unavailable`, also when a redirect cannot be followed; as `send`
 */
export async function sendFollowed(
  transport: Transport,
  first: TransportRequest,
  onward: (next: URL, request: TransportRequest) => TransportRequest,
): Promise<FollowedResponse> {
  let request = first;
  const mayFollow = first.method === "GET" || first.method === "HEAD";
  for (let followed = 0; ; followed++) {
    const what = describeRequest(request);
    const response = await transport.send(request);
    const { location } = response.headers;
    if (!mayFollow || !redirects.has(response.status) || location === undefined) {
      return { ...response, what, url: request.url };
    }
    await discardBody(response);
    if (followed >= maxRedirects) throw registryFaults.REDIRECTS_TOO_MANY(what);
    const next = URL.parse(location, request.url.href);
    if (next === null || !["http:", "https:"].includes(next.protocol)) {
      throw registryFaults.REDIRECT_INVALID(what, location.slice(0, 200));
    }
    request = onward(next, request);
  }
}
