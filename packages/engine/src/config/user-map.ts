import { readFileSync } from "node:fs";
import type { IdRange, UserMap } from "@hawser/oci";
import { configFaults } from "./faults.ts";

/** Where accounts and the ids that they may give to containers are: passwd(5), group(5), subuid(5), subgid(5). */
export interface AccountTexts {
  readonly passwd: string;
  readonly group: string;
  readonly subuid: string;
  readonly subgid: string;
}

/** Docker's name for the user that `default` means. */
const defaultUser = "dockremap";

export function readAccountTexts(): AccountTexts {
  const read = (path: string) => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return "";
    }
  };
  const [passwd, group, subuid, subgid] = ["passwd", "group", "subuid", "subgid"].map((name) =>
    read(`/etc/${name}`),
  );
  return { passwd: passwd ?? "", group: group ?? "", subuid: subuid ?? "", subgid: subgid ?? "" };
}

/**
 * What `userns-remap` says: `default`, `user`, `user:group`, each by name or number; their ranges of subordinate ids, in the
 * order of the files, are a container's ids from 0 on.
 *
 * @throws {Fault} `invalid-argument` for somebody who is not there, has no ranges, or has nonsense for some
 */
export function parseUserMap(text: string, texts: AccountTexts): UserMap {
  const [user = "", group = user, ...more] = text.split(":");
  if (user === "" || group === "" || more.length > 0)
    throw configFaults.USERNS_REMAP(text, "a user, or user:group, was wanted");
  const owner = (name: string) => (name === "default" ? defaultUser : name);
  return {
    uids: rangesOf(text, {
      file: "/etc/subuid",
      ranges: texts.subuid,
      accounts: texts.passwd,
      name: owner(user),
    }),
    gids: rangesOf(text, {
      file: "/etc/subgid",
      ranges: texts.subgid,
      accounts: texts.group,
      name: owner(group),
    }),
  };
}

function rangesOf(
  text: string,
  of: { readonly file: string; readonly ranges: string; readonly accounts: string; readonly name: string },
): readonly IdRange[] {
  const names = namesOf(of.name, of.accounts);
  const ranges: IdRange[] = [];
  let inside = 0;
  for (const line of of.ranges.split("\n")) {
    const [name = "", first = "", size = ""] = line.trim().split(":");
    if (!names.has(name)) continue;
    const [outside, count] = [Number(first), Number(size)];
    // Below are the host's own accounts; root above all.
    const isRange = /^\d+$/.test(first) && /^\d+$/.test(size) && outside > 0 && outside + count < 2 ** 32;
    if (!isRange || count === 0) throw configFaults.USERNS_REMAP(text, `${of.file} has "${line.trim()}"`);
    ranges.push({ inside, outside, count });
    inside += count;
  }
  if (ranges.length === 0) throw configFaults.USERNS_REMAP(text, `${of.file} has no range for ${of.name}`);
  return ranges;
}

/** How a range may name its owner: as asked for, and by what the accounts say is the same. */
function namesOf(name: string, accounts: string): ReadonlySet<string> {
  const found = accounts
    .split("\n")
    .map((line) => line.split(":"))
    .find(([known, , id]) => known === name || (id === name && /^\d+$/.test(name)));
  return new Set([name, ...(found === undefined ? [] : [found[0] ?? "", found[2] ?? ""])].filter(Boolean));
}
