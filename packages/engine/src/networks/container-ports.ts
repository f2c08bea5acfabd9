import { isIP } from "node:net";
import { Fault } from "@hawser/base";
import type { PublishedPort, PublishedPorts, PublishTarget } from "@hawser/network";
import type { ContainerConfig, HostConfig } from "@hawser/runtime";
import type { ContainerRecord } from "../containers/container-record.ts";
import { type Attachment, attachmentsOf } from "./attachment.ts";
import { parseBridgeOptions } from "./bridge-options.ts";
import { isRemoved, type PortChange } from "./change-bindings.ts";
import { networkServiceFaults } from "./faults.ts";
import { chooseGateways } from "./gateway-choice.ts";
import type { NetworkService } from "./network-service.ts";
import { portRequestsOf } from "./port-requests.ts";

/** Publishes containers' ports on the network through which each reaches the outside. */
export class ContainerPorts {
  readonly #networks: NetworkService;
  readonly #published: PublishedPorts;

  constructor(options: { readonly networks: NetworkService; readonly published: PublishedPorts }) {
    this.#networks = options.networks;
    this.#published = options.published;
  }

  /**
   * Before a container runs: its ports are the host's when this returns, and lead to it when `ready` resolves.
   *
   * @throws {Fault} `unavailable` when a port is taken: Docker's words
   */
  async publish(
    record: ContainerRecord,
    attachments: readonly Attachment[],
  ): Promise<{ readonly ports: readonly PublishedPort[]; readonly ready: Promise<void> }> {
    const requests = portRequestsOf(record.config, record.hostConfig);
    const place = this.#placeOf(attachments);
    if (requests.length === 0 || place === undefined) return { ports: [], ready: Promise.resolve() };
    const { target, hostBinding } = place;
    const bound = requests.map((request) => ({ ...request, hostIp: request.hostIp || hostBinding }));
    try {
      return await this.#published.publish(record.id, bound, target);
    } catch (error) {
      const { message } = Fault.from(error);
      throw networkServiceFaults.PUBLISH_FAILED(record.name, place.endpointId, message).because(error);
    }
  }

  /**
   * Publish ports of a running container that it has not asked for so far, and others no longer.
   *
   * @throws {Fault} as `publish`, `conflict` when it is on no network through which it could be reached; then all is as before.
   */
  async change(record: ContainerRecord, change: PortChange): Promise<readonly PublishedPort[]> {
    const place = this.#placeOf(attachmentsOf(record));
    if (place === undefined) throw networkServiceFaults.PUBLISH_WITHOUT_NETWORK(record.name);
    const requests = portRequestsOf(
      { exposedPorts: [] },
      { portBindings: change.add, publishAllPorts: false },
    );
    try {
      return await this.#published.change(record.id, {
        add: requests.map((request) => ({ ...request, hostIp: request.hostIp || place.hostBinding })),
        isRemoved: (port) => isRemoved(port, change.remove),
        target: place.target,
      });
    } catch (error) {
      const { message } = Fault.from(error);
      throw networkServiceFaults.PUBLISH_FAILED(record.name, place.endpointId, message).because(error);
    }
  }

  /** Take up again what a running container had published under a former engine. */
  async restore(record: ContainerRecord): Promise<void> {
    const { published = [] } = record;
    if (published.length === 0) return;
    await this.#published.restore(record.id, published, this.#placeOf(attachmentsOf(record))?.target ?? {});
  }

  /** Its networks have changed. */
  async move(record: ContainerRecord): Promise<void> {
    await this.#published.move(record.id, this.#placeOf(attachmentsOf(record))?.target ?? {});
  }

  /** It no longer runs. */
  async release(record: ContainerRecord): Promise<void> {
    await this.#published.release(record.id);
  }

  #placeOf(attachments: readonly Attachment[]) {
    const { ipv4, ipv6 } = chooseGateways(attachments, (name) => this.#networks.resolve(name));
    const endpointOn = (name: string | undefined) =>
      attachments.find(({ network }) => network === name)?.endpoint;
    const [way, way6] = [endpointOn(ipv4), endpointOn(ipv6)];
    const network = ipv4 ?? ipv6;
    if (network === undefined) return undefined;
    const isRouted = (name: string | undefined, family: 4 | 6) =>
      name !== undefined && parseBridgeOptions(this.#networks.resolve(name)).modes[family] === "routed";
    const isTrusting = [ipv4, ipv6].some(
      (name) =>
        name !== undefined && parseBridgeOptions(this.#networks.resolve(name)).trustedInterfaces.length > 0,
    );
    const target: PublishTarget = {
      ...(isTrusting && { isTrusting }),
      direct: [...(isRouted(ipv4, 4) ? [4 as const] : []), ...(isRouted(ipv6, 6) ? [6 as const] : [])],
      ...(way !== undefined && way.address !== "" && { ipv4: way.address }),
      ...(way6?.ipv6 && { ipv6: way6.ipv6.address }),
    };
    const record = this.#networks.resolve(network);
    if (record.driver !== "bridge") return undefined; // its addresses are not the host's to lead to
    const { hostBinding } = parseBridgeOptions(record);
    return {
      target,
      hostBinding: hostBinding === "0.0.0.0" ? "" : hostBinding,
      endpointId: way?.id ?? way6?.id ?? "",
    };
  }
}

/** When a container is made. @throws {Fault} `invalid-argument`, Docker's words */
export function checkPorts(
  config: Pick<ContainerConfig, "exposedPorts">,
  hostConfig: Pick<HostConfig, "portBindings" | "publishAllPorts">,
): void {
  for (const { hostIp } of portRequestsOf(config, hostConfig)) {
    if (hostIp !== "" && isIP(hostIp) === 0) throw networkServiceFaults.HOST_IP_INVALID(hostIp);
  }
}
