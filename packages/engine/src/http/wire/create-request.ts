import type { ContainerConfig, HostConfig } from "@hawser/runtime";
import type { EndpointWish } from "../../networks/attachment.ts";
import { type Decoder, map, record } from "./codec.ts";
import { containerConfigCodec } from "./container-config.ts";
import { endpointWishCodec } from "./endpoint-request.ts";
import { hostConfigCodec } from "./host-config.ts";

/** The body of `POST /containers/create`. */
export interface CreateRequestBody {
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** Network name → what is asked of the container's part in it. */
  readonly endpoints: Readonly<Record<string, EndpointWish>>;
}

interface Envelope {
  readonly hostConfig: HostConfig;
  readonly networking: { readonly endpoints: CreateRequestBody["endpoints"] };
}

/** Beside the fields of `Config`, which are at the top of the same object. */
const envelopeCodec = record<Envelope>({
  hostConfig: ["HostConfig", hostConfigCodec],
  networking: [
    "NetworkingConfig",
    record<Envelope["networking"]>(
      { endpoints: ["EndpointsConfig", map(endpointWishCodec)] },
      {},
      "network.NetworkingConfig",
    ),
  ],
});

/**
 * Decode the body of `POST /containers/create`.
 *
 * @throws {Fault} `invalid-argument`
 */
export const decodeCreateRequest: Decoder<CreateRequestBody> = (value, path) => {
  const config = containerConfigCodec.decode(value, path);
  const { hostConfig, networking } = envelopeCodec.decode(value, path);
  return { config, hostConfig: withSwap(hostConfig), endpoints: networking.endpoints };
};

/** A memory limit alone allows as much swap again (moby's `adaptContainerSettings`). */
function withSwap(hostConfig: HostConfig): HostConfig {
  const { memoryBytes, memorySwapBytes } = hostConfig;
  if (memoryBytes <= 0 || memorySwapBytes !== 0) return hostConfig;
  return { ...hostConfig, memorySwapBytes: memoryBytes * 2 };
}
