/** Text of at most `max` characters; what is cut is replaced by `…`. */
export function ellipsis(text: string, max: number): string {
  const chars = Array.from(text);
  return chars.length <= max ? text : `${chars.slice(0, max - 1).join("")}…`;
}

/** The first 12 digits of an id, without `sha256:`. */
export function shortId(id: string): string {
  const at = id.indexOf(":");
  return (at < 0 ? id : id.slice(at + 1)).slice(0, 12);
}
