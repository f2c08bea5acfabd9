import type { ContainerUpdate } from "../../containers/update.ts";
import type { PortChange } from "../../networks/change-bindings.ts";
import { type Decoder, optional, record, string } from "./codec.ts";
import { hostConfigCodec, portBindings } from "./host-config.ts";

const policyName = record<{ readonly policy?: { readonly name: string } }>({
  policy: ["RestartPolicy", optional(record<{ readonly name: string }>({ name: ["Name", string] }))],
});

/** Hawser's own: ports to publish, and no longer, as `HostConfig.PortBindings` has them. */
const portChange = record<PortChange>({
  add: ["PublishAdd", portBindings],
  remove: ["PublishRemove", portBindings],
});

/**
 * The body of `POST /containers/{id}/update`: names of `HostConfig`, of which the limits and the restart policy are looked at.
 * A policy without a name is none.
 */
export const decodeUpdateRequest: Decoder<ContainerUpdate> = (value, path) => {
  const asked = hostConfigCodec.decode(value, path);
  const hasPolicy = (policyName.decode(value, path).policy?.name ?? "") !== "";
  const ports = portChange.decode(value, path);
  const isChanged = Object.keys(ports.add).length + Object.keys(ports.remove).length > 0;
  return {
    limits: {
      blkioWeight: asked.blkioWeight,
      cpuPeriodUs: asked.cpuPeriodUs,
      cpuQuotaUs: asked.cpuQuotaUs,
      cpuRealtimePeriodUs: asked.cpuRealtimePeriodUs,
      cpuRealtimeRuntimeUs: asked.cpuRealtimeRuntimeUs,
      cpuShares: asked.cpuShares,
      cpusetCpus: asked.cpusetCpus,
      cpusetMems: asked.cpusetMems,
      memoryBytes: asked.memoryBytes,
      memoryReservationBytes: asked.memoryReservationBytes,
      memorySwapBytes: asked.memorySwapBytes,
      nanoCpus: asked.nanoCpus,
      ...(asked.pidsLimit !== undefined && { pidsLimit: asked.pidsLimit }),
    },
    ...(isChanged && { ports }),
    ...(hasPolicy && { restartPolicy: asked.restartPolicy }),
  };
};
