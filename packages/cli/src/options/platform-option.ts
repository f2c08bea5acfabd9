/** `--platform` as these endpoints take it. */
export function platformQuery(platform: string): Readonly<Record<string, string>> {
  return platform === "" ? {} : { platform: platform.toLowerCase() };
}
