import { type Platform, parsePlatform, platformOfNode } from "@hawser/oci";

/** `--platform` as these endpoints take it. */
export function platformQuery(platform: string): Readonly<Record<string, string>> {
  return platform === "" ? {} : { platform: platform.toLowerCase() };
}

/**
 * `--platform` as endpoints take it that want it as JSON (API 1.48).
 *
 * @throws {Fault} `invalid-argument` for what is no platform
 */
export function platformJsonQuery(text: string): Readonly<Record<string, string>> {
  if (text === "") return {};
  const { os, architecture, variant }: Platform = parsePlatform(text, platformOfNode(process));
  return { platform: JSON.stringify({ architecture, os, variant }) };
}
