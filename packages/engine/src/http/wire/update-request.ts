import type { ContainerUpdate } from "../../containers/update.ts";
import { type Decoder, optional, record, string } from "./codec.ts";
import { hostConfigCodec } from "./host-config.ts";

const policyName = record<{ readonly policy?: { readonly name: string } }>({
  policy: ["RestartPolicy", optional(record<{ readonly name: string }>({ name: ["Name", string] }))],
});

/**
 * The body of `POST /containers/{id}/update`: names of `HostConfig`, of which the limits and the restart policy are looked at.
 * A policy without a name is none.
 */
export const decodeUpdateRequest: Decoder<ContainerUpdate> = (value, path) => {
  const asked = hostConfigCodec.decode(value, path);
  const hasPolicy = (policyName.decode(value, path).policy?.name ?? "") !== "";
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
    ...(hasPolicy && { restartPolicy: asked.restartPolicy }),
  };
};
