import { isIP } from "node:net";
import { goQuote } from "@hawser/base";
import { valueError } from "./value-error.ts";

/** `--add-host name:address` or `name=address`, as `name:address`. */
export function parseExtraHost(text: string): string {
  const equals = text.indexOf("=");
  const at = equals >= 0 ? equals : text.indexOf(":");
  const name = text.slice(0, Math.max(0, at));
  if (at < 0 || name === "" || name.includes(":"))
    throw valueError(`bad format for add-host: ${goQuote(text)}`);
  const written = text.slice(at + 1);
  const address = /^\[.*\]$/.test(written) ? written.slice(1, -1) : written;
  if (address !== "host-gateway" && isIP(address) === 0) {
    throw valueError(`invalid IP address in add-host: ${goQuote(written)}`);
  }
  return `${name}:${address}`;
}

/** An address; white space around it goes. */
export function parseIpAddress(text: string): string {
  const address = text.trim();
  if (isIP(address) === 0) throw valueError(`IP address is not correctly formatted: ${text}`);
  return isIP(address) === 6 && !address.includes("%") ? canonicalIpv6(address) : address;
}

function canonicalIpv6(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

/** `--dns-search` values; `.` means none. */
export function parseDnsSearch(text: string): string {
  const domain = text.trim();
  if (domain === ".") return domain;
  const wellFormed =
    /[a-zA-Z]/.test(domain) &&
    domain.length < 255 &&
    /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*\.?$/.test(
      domain,
    );
  if (!wellFormed) throw valueError(`${text} is not a valid domain`);
  return domain.replace(/\.$/, "");
}

/** `name[=value]` whose name has no white space. */
export function checkLabel(text: string): string {
  const at = text.indexOf("=");
  const name = (at < 0 ? text : text.slice(0, at)).trimStart();
  if (name.trim() === "") throw valueError(`invalid label '${text}': empty name`);
  if (/\s/.test(name)) throw valueError(`label '${name}' contains whitespaces`);
  return text;
}

/** `container[:alias]`. */
export function checkLink(text: string): string {
  if (text === "") throw valueError("empty string specified for links");
  if (text.split(":").length > 2) throw valueError(`bad format for links: ${text}`);
  return text;
}

/** `stdin`, `stdout` or `stderr`. */
export function parseAttach(text: string): string {
  const stream = text.toLowerCase();
  if (["stdin", "stdout", "stderr"].includes(stream)) return stream;
  throw valueError("valid streams are STDIN, STDOUT and STDERR");
}
