import { type IncomingHttpHeaders, STATUS_CODES } from "node:http";
import { splitLogin } from "./basic-login.ts";
import { sendFollowed } from "./follow-redirects.ts";
import {
  discardBody,
  readBody,
  Transport,
  type TransportOptions,
  type TransportRequest,
} from "./transport.ts";

/** An answer whose content is still to come: it is read, or the answer is discarded. */
export interface WebFile {
  readonly status: number;
  /** "Not Found"; empty for a status of nobody's. */
  readonly statusText: string;
  readonly headers: IncomingHttpHeaders;
  /** @throws {Fault} `unavailable` when it breaks off */
  readonly chunks: AsyncIterable<Buffer>;
  discard(): Promise<void>;
}

/** Gets files of any server, on the way that registries are reached: the same proxies, the same trust. */
export class WebClient implements Disposable {
  readonly #transport: Transport;

  constructor(options: TransportOptions) {
    this.#transport = new Transport(options);
  }

  /**
   * What is at an address, whatever its status. Redirects are followed; a login in the address is for its own server, and goes to no
   * other one by way of that. The content is as it was sent: none that is compressed on the way only is asked for.
   *
   * @throws {Fault} `unavailable`, `deadline-exceeded`; the reason of `signal`
   */
  async get(
    address: URL,
    options: { readonly headers?: Readonly<Record<string, string>>; readonly signal: AbortSignal },
  ): Promise<WebFile> {
    const { headers = {}, signal } = options;
    const { url, authorization } = splitLogin(address);
    const first: TransportRequest = {
      method: "GET",
      url,
      headers: { ...headers, ...(authorization !== undefined && { authorization }) },
      signal,
    };
    const response = await sendFollowed(this.#transport, first, (next, request) =>
      next.origin === request.url.origin ? { ...request, url: next } : { ...request, url: next, headers },
    );
    const { status, what } = response;
    return {
      status,
      statusText: STATUS_CODES[status] ?? "",
      headers: response.headers,
      chunks: readBody(response, { what, signal }),
      discard: () => discardBody(response),
    };
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }
}
