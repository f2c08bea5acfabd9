import type { ContainerIndex } from "../containers/container-index.ts";
import { attachmentsOf, type EndpointRecord } from "./attachment.ts";
import type { NetworkMember } from "./network-service.ts";
import { predefinedIdOf } from "./predefined.ts";

/** The containers with a place on a network. */
export function membersIn(index: ContainerIndex, networkId: string): readonly NetworkMember[] {
  return index.list().flatMap(({ id, record }) =>
    attachmentsOf(record).flatMap((attachment) => {
      const { endpoint } = attachment;
      if (endpoint === undefined || idOf(attachment) !== networkId) return [];
      return [{ containerId: id, containerName: record.name, endpoint }];
    }),
  );
}

/** Places on a predefined network. */
export function endpointsIn(index: ContainerIndex, name: "bridge"): readonly EndpointRecord[] {
  return membersIn(index, predefinedIdOf(name)).map(({ endpoint }) => endpoint);
}

/** Records of older engines do not hold it, and know the default bridge alone. */
function idOf({ networkId, network }: { readonly networkId: string; readonly network: string }): string {
  return networkId === "" && network === "bridge" ? predefinedIdOf("bridge") : networkId;
}
