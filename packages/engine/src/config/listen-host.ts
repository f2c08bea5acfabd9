import { parseListenAddress } from "../http/listen.ts";
import { configFaults } from "./faults.ts";

/**
 * A `--host` in full, from the short forms that dockerd takes, too: nothing, `unix://`, `tcp://`, `tcp://:2376`,
 * `127.0.0.1:2376`.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parseListenHost(
  text: string,
  options: { readonly defaultSocket: string; readonly hasTls: boolean },
): string {
  const host = expand(text.trim(), options);
  try {
    parseListenAddress(host);
    return host;
  } catch {
    throw configFaults.FLAG_VALUE("-H, --host", text, `Invalid bind address format: ${text}`);
  }
}

function expand(
  given: string,
  { defaultSocket, hasTls }: { readonly defaultSocket: string; readonly hasTls: boolean },
): string {
  if (given === "" || given === "unix://") return `unix://${defaultSocket}`;
  if (given.startsWith("/")) return `unix://${given}`;
  const [, scheme = "tcp", rest = ""] = /^(?:([a-z]+):\/\/)?(.*)$/s.exec(given) ?? [];
  if (scheme !== "tcp") return given;
  const [, host = rest, port = ""] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(rest) ?? [];
  return `tcp://${host || "127.0.0.1"}:${port || (hasTls ? "2376" : "2375")}`;
}
