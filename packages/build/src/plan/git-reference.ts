/** A repository as a Dockerfile or a user names it: `https://host/path.git#ref:folder`, `git@host:path`, `git://…?checksum=…`. */
export interface GitReference {
  /** Without what was behind `#` and `?`. */
  readonly url: string;
  /** Branch, tag or commit; absent: the repository's own choice. */
  readonly ref?: string;
  /** Part of the tree, without slashes at its ends; absent: all. */
  readonly folder?: string;
  /** What the id of the commit must begin with. */
  readonly checksum?: string;
  /** The first of the questions behind `?` that nobody would answer. */
  readonly unknownQuery?: string;
}

/** What an address may ask for behind `?` (BuildKit's `dfgitutil`). */
const knownQueries: ReadonlySet<string> = new Set(["ref", "branch", "tag", "subdir", "checksum", "commit"]);

/** `undefined`: it is no repository's name. */
export function parseGitReference(text: string): GitReference | undefined {
  const hash = text.indexOf("#");
  const place = hash < 0 ? text : text.slice(0, hash);
  const fragment = hash < 0 ? "" : text.slice(hash + 1);
  const isSsh = /^[a-z0-9_.-]+@[a-z0-9.-]+:[^/]/i.test(place);
  const [path = "", query = ""] = isSsh ? [place] : place.split("?", 2);
  const isGit = isSsh || /^(git|ssh):\/\//i.test(path) || (/^https?:\/\//i.test(path) && /\.git$/.test(path));
  const isBare = /^(github|gitlab|bitbucket)\.(com|org)\/[^/]+\/[^/]+$/i.test(path);
  if (!isGit && !isBare) return undefined;
  const asked = new URLSearchParams(query);
  const unknownQuery = [...asked.keys()].find((name) => !knownQueries.has(name));
  const [before = "", ...after] = fragment.split(":");
  const ref = before || (asked.get("ref") ?? asked.get("branch") ?? asked.get("tag") ?? "");
  const folder = (after.join(":") || (asked.get("subdir") ?? "")).replace(/^\/+|\/+$/g, "");
  const checksum = asked.get("checksum") ?? asked.get("commit") ?? "";
  return {
    url: isBare ? `https://${path}` : path,
    ...(ref !== "" && { ref }),
    ...(folder !== "" && folder !== "." && { folder }),
    ...(checksum !== "" && { checksum }),
    ...(unknownQuery !== undefined && { unknownQuery }),
  };
}
