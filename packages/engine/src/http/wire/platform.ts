import { type Platform, parsePlatform, platformOfNode } from "@hawser/oci";
import { httpFaults } from "../faults.ts";
import type { ApiRequest } from "../request.ts";
import { record, string } from "./codec.ts";

interface WirePlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
  readonly osVersion: string;
}

const platformCodec = record<WirePlatform>({
  os: ["os", string],
  architecture: ["architecture", string],
  variant: ["variant", string],
  osVersion: ["os.version", string],
});

/** A platform as its own JSON, `{"os":"linux","architecture":"arm64"}`. @throws {Fault} `invalid-argument`, Docker's words */
export function decodePlatform(text: string): Platform {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw httpFaults.PLATFORM_JSON().because(error);
  }
  const { os, architecture, variant, osVersion } = platformCodec.decode(value, "Platform");
  if (os === "" && architecture === "" && (variant !== "" || osVersion !== ""))
    throw httpFaults.PLATFORM_PARTIAL();
  if (os === "" || architecture === "") throw httpFaults.PLATFORM_INCOMPLETE();
  const parts = [os, architecture, variant].filter((part) => part !== "");
  return parsePlatform(parts.join("/"), platformOfNode(process));
}

/**
 * The platform that the query names as JSON; `undefined` when it names none, or the client is from before API `since`.
 *
 * @param options.only more than one is refused; else the first counts
 * @throws {Fault} `invalid-argument`, Docker's words
 */
export function queryPlatform(
  request: ApiRequest,
  options: { readonly since: "1.46" | "1.48" | "1.49"; readonly only?: boolean },
): Platform | undefined {
  if (!request.atLeast(options.since)) return undefined;
  const [first = "", ...others] = request.query.texts("platform");
  if (others.length > 0 && options.only === true) throw httpFaults.PLATFORM_MULTIPLE();
  return first === "" ? undefined : decodePlatform(first);
}
