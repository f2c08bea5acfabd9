import { clientFaults } from "./client-faults.ts";

/** Where an engine listens. `text` is what people call it (`unix:///run/hawser/hawser.sock`). */
export type Endpoint =
  | { readonly kind: "unix"; readonly text: string; readonly path: string }
  | {
      readonly kind: "tcp";
      readonly text: string;
      readonly host: string;
      readonly port: number;
      readonly basePath: string;
    };

const defaultTcpPort = 2375;

/**
 * An engine's address as Docker's clients write it: `unix:///path`, `tcp://host[:port][/base]`, `http://…`.
 *
 * @throws {Fault} `invalid-argument` for another form, `not-implemented` for schemes that need a tunnel.
 */
export function parseEndpoint(text: string): Endpoint {
  const match = /^([a-z]+):\/\/(.*)$/s.exec(text);
  if (match === null) throw clientFaults.ENDPOINT_INVALID(text);
  const [, scheme = "", rest = ""] = match;
  switch (scheme) {
    case "unix":
      if (!rest.startsWith("/")) throw clientFaults.ENDPOINT_INVALID(text);
      return { kind: "unix", text, path: rest };
    case "tcp":
    case "http":
      return parseTcp(text, rest);
    case "ssh":
    case "https":
    case "npipe":
    case "fd":
      throw clientFaults.ENDPOINT_UNSUPPORTED(text, scheme);
    default:
      throw clientFaults.ENDPOINT_INVALID(text);
  }
}

function parseTcp(text: string, rest: string): Endpoint {
  const match = /^(\[[\da-fA-F:.%\w]+\]|[^:/[\]\s]*)(?::(\d*))?(\/.*)?$/.exec(rest);
  if (match === null) throw clientFaults.ENDPOINT_INVALID(text);
  const [, host = "", portText = "", basePath = ""] = match;
  const port = portText === "" ? defaultTcpPort : Number(portText);
  if (port < 1 || port > 65535) throw clientFaults.ENDPOINT_INVALID(text);
  return {
    kind: "tcp",
    text,
    host: host === "" ? "127.0.0.1" : host.replace(/^\[|\]$/g, ""),
    port,
    basePath: basePath.replace(/\/+$/, ""),
  };
}
