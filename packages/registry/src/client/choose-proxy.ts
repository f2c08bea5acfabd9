import { isIP } from "node:net";
import { cidrHas } from "./cidr.ts";
import { registryFaults } from "./faults.ts";
import { isLoopback } from "./is-loopback.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy between here and `url`, as Go's programs find it (golang.org/x/net/http/httpproxy): `HTTPS_PROXY` or `HTTP_PROXY`, a host
 * and port or a URL, unless this machine is asked or `NO_PROXY` has the host. In that are `*`, addresses, networks (`10.0.0.0/8`), and
 * names: `example.org` for it and all below it, `.example.org` or `*.example.org` for all below; a name or an address may have a port.
 *
 * @throws {Fault} `invalid-argument` when the proxy cannot be one
 */
export function chooseProxy(url: URL, environment: Environment): string | undefined {
  const isSecure = url.protocol === "https:";
  const text = read(environment, isSecure ? "HTTPS_PROXY" : "HTTP_PROXY");
  if (text === "" || isLoopback(url.hostname)) return undefined;
  const to = { host: url.hostname.replace(/^\[|\]$/g, ""), port: url.port || (isSecure ? "443" : "80") };
  const isExcepted = read(environment, "NO_PROXY")
    .split(",")
    .some((entry) => covers(entry.trim().toLowerCase(), to));
  return isExcepted ? undefined : parseProxy(text);
}

function read(environment: Environment, name: string): string {
  return environment[name] || environment[name.toLowerCase()] || "";
}

function covers(entry: string, { host, port }: { readonly host: string; readonly port: string }): boolean {
  if (entry === "*") return true;
  if (entry.includes("/")) return cidrHas(entry, host);
  const [, bracketed, named, onlyPort] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(entry) ?? [
    undefined,
    undefined,
    entry,
  ];
  const name = (bracketed ?? named ?? "").replace(/^\*\./, ".");
  if (name === "" || (onlyPort !== undefined && onlyPort !== port)) return false;
  const family = isIP(name);
  if (family !== 0) return cidrHas(`${name}/${family === 6 ? 128 : 32}`, host);
  return name.startsWith(".") ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
}

function parseProxy(text: string): string {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null || url.hostname === "" || !["http:", "https:"].includes(url.protocol)) {
    throw registryFaults.PROXY_INVALID(url?.host ?? text.replace(/^.*@/, ""));
  }
  return url.href;
}
