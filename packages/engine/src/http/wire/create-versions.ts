import type { ApiVersion } from "@hawser/api";
import { parseNetworkMode } from "../../networks/attachment.ts";
import { networkServiceFaults } from "../../networks/faults.ts";
import type { CreateRequestBody } from "./create-request.ts";

/**
 * What a client of an older API means by its request: fields that came later are not there for it (moby's
 * `postContainersCreate`).
 *
 * @param atLeast whether the client speaks a version
 * @returns also what a newer client is told of fields that it should not use any more
 * @throws {Fault} `invalid-argument`
 */
export function asOfVersion(
  { config, hostConfig, endpoints }: CreateRequestBody,
  atLeast: (version: ApiVersion) => boolean,
): CreateRequestBody & { readonly warnings: readonly string[] } {
  const { healthcheck, macAddress, ...others } = config;
  const mode = parseNetworkMode(hostConfig.networkMode);
  const hasOwnNetwork = mode.kind === "bridge" || mode.kind === "user";
  const hasMac = macAddress !== undefined && macAddress !== "";
  if (hasMac && !hasOwnNetwork && !atLeast("1.44")) {
    throw networkServiceFaults.MODE_CONFLICT("mac-address and the network mode");
  }
  return {
    config: {
      ...others,
      ...(hasMac && hasOwnNetwork && { macAddress }),
      ...(healthcheck && {
        healthcheck: atLeast("1.44") ? healthcheck : { ...healthcheck, startIntervalNs: 0 },
      }),
    },
    hostConfig: {
      ...hostConfig,
      ...(!atLeast("1.25") && { autoRemove: false }),
      ...(!atLeast("1.42") && { consoleSize: [0, 0] as const }),
      ...(!atLeast("1.43") && { annotations: {} }),
    },
    endpoints: atLeast("1.44") ? endpoints : withoutMacAddresses(endpoints),
    warnings: hasMac && atLeast("1.44") ? [macAddressMoved] : [],
  };
}

const macAddressMoved =
  "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.";

function withoutMacAddresses(endpoints: CreateRequestBody["endpoints"]): CreateRequestBody["endpoints"] {
  return Object.fromEntries(
    Object.entries(endpoints).map(([name, wish]) => [name, { ...wish, macAddress: "" }]),
  );
}
