/** Where the next page of a list is: `Link: </v2/_catalog?last=x>; rel="next"`. RFC 8288. Never on another host. */
export function parseNextPage(header: string | readonly string[] | undefined, url: URL): URL | undefined {
  const text = typeof header === "string" ? header : (header?.join(", ") ?? "");
  const [, target] = /<([^<>]{1,4000})>\s*;[^,]*rel="?next"?/.exec(text) ?? [];
  const next = target === undefined ? null : URL.parse(target, url.href);
  return next === null || next.origin !== url.origin || next.href === url.href ? undefined : next;
}
