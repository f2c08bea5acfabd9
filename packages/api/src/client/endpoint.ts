import { clientFaults } from "./client-faults.ts";

/** How a client makes sure of an engine, and an engine of it: PEM texts. */
export interface ClientTls {
  /** Who may vouch for the engine; absent: whom the system trusts. */
  readonly authority?: string | Buffer;
  readonly certificate?: string | Buffer;
  readonly key?: string | Buffer;
  /** Do not ask who the engine is. */
  readonly insecure: boolean;
}

/** Where an engine listens. `text` is what people call it (`unix:///run/hawser/hawser.sock`). */
export type Endpoint =
  | { readonly kind: "unix"; readonly text: string; readonly path: string }
  | {
      readonly kind: "tcp";
      readonly text: string;
      readonly host: string;
      readonly port: number;
      readonly basePath: string;
      /** Absent: in the clear. */
      readonly tls?: ClientTls;
    }
  | {
      readonly kind: "ssh";
      readonly text: string;
      readonly host: string;
      readonly port?: number;
      readonly user?: string;
      /** The engine's socket there; absent: the one that a client there uses. */
      readonly path?: string;
      /** For `ssh`. */
      readonly environment: Readonly<Record<string, string | undefined>>;
    };

export interface EndpointOptions {
  /** For addresses by TCP. */
  readonly tls?: ClientTls | undefined;
  /** For `ssh`; default: none. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * An engine's address as Docker's clients write it: `unix:///path`, `tcp://host[:port][/base]`, `http://…`, `https://…`,
 * `ssh://[user@]host[:port][/path]`.
 *
 * @throws {Fault} `invalid-argument` for another form, `not-implemented` for other schemes.
 */
export function parseEndpoint(text: string, options: EndpointOptions = {}): Endpoint {
  const match = /^([a-z]+):\/\/(.*)$/s.exec(text);
  if (match === null) throw clientFaults.ENDPOINT_INVALID(text);
  const [, scheme = "", rest = ""] = match;
  switch (scheme) {
    case "unix":
      if (!rest.startsWith("/")) throw clientFaults.ENDPOINT_INVALID(text);
      return { kind: "unix", text, path: rest };
    case "tcp":
    case "http":
      return parseTcp(text, rest, options.tls);
    case "https":
      return parseTcp(text, rest, options.tls ?? { insecure: false });
    case "ssh":
      return parseSsh(text, options.environment ?? {});
    case "npipe":
    case "fd":
      throw clientFaults.ENDPOINT_UNSUPPORTED(text, scheme);
    default:
      throw clientFaults.ENDPOINT_INVALID(text);
  }
}

function parseTcp(text: string, rest: string, tls: ClientTls | undefined): Endpoint {
  const match = /^(\[[\da-fA-F:.%\w]+\]|[^:/[\]\s]*)(?::(\d*))?(\/.*)?$/.exec(rest);
  if (match === null) throw clientFaults.ENDPOINT_INVALID(text);
  const [, host = "", portText = "", basePath = ""] = match;
  const port = portText === "" ? (tls === undefined ? 2375 : 2376) : Number(portText);
  if (port < 1 || port > 65535) throw clientFaults.ENDPOINT_INVALID(text);
  return {
    kind: "tcp",
    text,
    host: host === "" ? "127.0.0.1" : host.replace(/^\[|\]$/g, ""),
    port,
    basePath: basePath.replace(/\/+$/, ""),
    ...(tls && { tls }),
  };
}

/** Nothing of it may be taken for an option of `ssh`, or be more than one word to the shell at its other end. */
function parseSsh(text: string, environment: Readonly<Record<string, string | undefined>>): Endpoint {
  const pattern =
    /^ssh:\/\/(?:([\w][\w.@+-]*)@)?(\[[\da-fA-F:.]+\]|[\w][\w.-]*)(?::(\d{1,5}))?(\/[\w./@+:-]*)?$/;
  const [whole, user, host = "", portText, path] = pattern.exec(text) ?? [];
  const port = Number(portText ?? "22");
  if (whole === undefined || port < 1 || port > 65535) throw clientFaults.ENDPOINT_INVALID(text);
  return {
    kind: "ssh",
    text,
    host: host.replace(/^\[|\]$/g, ""),
    environment,
    ...(portText !== undefined && { port }),
    ...(user !== undefined && { user }),
    ...(path !== undefined && path !== "/" && { path }),
  };
}
