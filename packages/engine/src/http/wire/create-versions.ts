import type { ApiVersion } from "@hawser/api";
import type { CreateRequestBody } from "./create-request.ts";

/**
 * What a client of an older API means by its request: fields that came later are not there for it (moby's
 * `postContainersCreate`).
 *
 * @param atLeast whether the client speaks a version
 */
export function asOfVersion(
  { config, hostConfig, endpoints }: CreateRequestBody,
  atLeast: (version: ApiVersion) => boolean,
): CreateRequestBody {
  const { healthcheck } = config;
  return {
    config: {
      ...config,
      ...(healthcheck && !atLeast("1.44") && { healthcheck: { ...healthcheck, startIntervalNs: 0 } }),
    },
    hostConfig: {
      ...hostConfig,
      ...(!atLeast("1.25") && { autoRemove: false }),
      ...(!atLeast("1.42") && { consoleSize: [0, 0] as const }),
      ...(!atLeast("1.43") && { annotations: {} }),
    },
    endpoints,
  };
}
