/** An address as it may be shown: without a login. What is no address stays as it is. */
export function shownUrl(url: string): string {
  return url.replace(/\/\/[^/@]*@/, "//");
}
