import type { Ulimit } from "@hawser/api";
import { parseGoInteger } from "./go-number.ts";
import { valueError } from "./value-error.ts";

const names: ReadonlySet<string> = new Set([
  "core",
  "cpu",
  "data",
  "fsize",
  "locks",
  "memlock",
  "msgqueue",
  "nice",
  "nofile",
  "nproc",
  "rss",
  "rtprio",
  "rttime",
  "sigpending",
  "stack",
]);

/** `nofile=1024[:2048]`; -1: unlimited. */
export function parseUlimit(text: string): Ulimit {
  const at = text.indexOf("=");
  if (at < 0) throw valueError(`invalid ulimit argument: ${text}`);
  const name = text.slice(0, at);
  if (!names.has(name)) throw valueError(`invalid ulimit type: ${name}`);
  const limits = text.slice(at + 1).split(":");
  if (limits.length > 2)
    throw valueError(
      `too many limit value arguments - ${text.slice(at + 1)}, can only have up to two, \`soft[:hard]\``,
    );
  const [softText = "", hardText] = limits;
  const soft = parseGoInteger(softText, { base: 10 });
  const hard = hardText === undefined ? soft : parseGoInteger(hardText, { base: 10 });
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    const words = soft === -1 ? `soft: -1 (unlimited), hard: ${hard}` : `${soft} > ${hard}`;
    throw valueError(`ulimit soft limit must be less than or equal to hard limit: ${words}`);
  }
  return { Name: name, Soft: soft, Hard: hard };
}
