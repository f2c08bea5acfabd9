import { errnoOf } from "@hawser/base";

const noRoom: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);
/** What is asked for cannot be, or contradicts itself. */
const refused: ReadonlySet<string> = new Set([
  "EEXIST",
  "EFBIG",
  "EINVAL",
  "EISDIR",
  "ELOOP",
  "EMLINK",
  "ENAMETOOLONG",
  "ENOENT",
  "ENOTDIR",
  "ERANGE",
  "E2BIG",
]);

/** What kind of fault a worker's failed system call is. @param alsoRefused further errnos that are the caller's doing */
export function faultKindOfErrno(
  error: unknown,
  alsoRefused: readonly string[] = [],
): "resource-exhausted" | "invalid-argument" | "internal" {
  const errno = errnoOf(error) ?? "";
  if (noRoom.has(errno)) return "resource-exhausted";
  return refused.has(errno) || alsoRefused.includes(errno) ? "invalid-argument" : "internal";
}
