import { runtimeFaults } from "../faults.ts";

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** Without `gid`, in the order found, each once. */
  readonly additionalGids: readonly number[];
  /** Home folder from the passwd file; `/` when it knows none. */
  readonly home: string;
}

const maxId = 2147483647;

/**
 * The ids that `user` (`name`, `uid`, `name:group`, `uid:gid`, empty: root) and `groupAdd` stand for, by the container's
 * own files. A number needs no entry. Without a group the primary one is the passwd entry's, else 0, and the groups that
 * list the user's name come along; with a group only that one.
 *
 * @throws {Fault} `invalid-argument` with Docker's words.
 */
export function resolveUser(
  user: string,
  files: { readonly passwd: string; readonly group: string; readonly groupAdd?: readonly string[] },
): ResolvedUser {
  const separator = user.indexOf(":");
  const userText = separator < 0 ? user : user.slice(0, separator);
  const groupText = separator < 0 ? "" : user.slice(separator + 1);
  const entries = parsePasswd(files.passwd);
  const groups = parseGroup(files.group);

  const uidWanted = userText === "" ? 0 : parseId(userText);
  const entry =
    entries.find(({ name }) => userText !== "" && name === userText) ??
    entries.find(({ uid }) => uid === uidWanted);
  if (entry === undefined && uidWanted === undefined) throw runtimeFaults.USER_UNKNOWN(userText);
  const uid = entry?.uid ?? uidWanted ?? 0;
  checkRange(uid);

  let gid = entry?.gid ?? 0;
  const additional = new Set<number>();
  if (groupText !== "") {
    gid = findGroup(groupText, groups);
  } else if (entry !== undefined) {
    for (const group of groups) if (group.members.includes(entry.name)) additional.add(group.gid);
  }
  checkRange(gid);
  for (const text of files.groupAdd ?? []) additional.add(findGroup(text, groups));
  additional.delete(gid);
  return { uid, gid, additionalGids: [...additional], home: entry?.home || "/" };
}

function findGroup(text: string, groups: readonly GroupEntry[]): number {
  const wanted = parseId(text);
  const gid = groups.find(({ name }) => name === text)?.gid ?? wanted;
  if (gid === undefined) throw runtimeFaults.GROUP_UNKNOWN(text);
  checkRange(gid);
  return gid;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

function parsePasswd(text: string): PasswdEntry[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , uidText = "", gidText = "", , home = ""] = line.trim().split(":");
    const uid = parseId(uidText);
    const gid = parseId(gidText);
    return name === "" || uid === undefined || gid === undefined ? [] : [{ name, uid, gid, home }];
  });
}

function parseGroup(text: string): GroupEntry[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , gidText = "", members = ""] = line.trim().split(":");
    const gid = parseId(gidText);
    return name === "" || gid === undefined ? [] : [{ name, gid, members: members.split(",") }];
  });
}

function parseId(text: string): number | undefined {
  return /^-?\d+$/.test(text) ? Number(text) : undefined;
}

function checkRange(id: number): void {
  if (id < 0 || id > maxId) throw runtimeFaults.USER_OUT_OF_RANGE();
}
