import { closeSync } from "node:fs";
import { createNetworkNamespace } from "@hawser/linux";
import { type InterfaceRequest, makeInterface } from "./interface.ts";

/** A network namespace that is on a bridge: `lo` and `eth0` up, addresses and default route set. */
export interface Endpoint extends Disposable {
  /** The holder's, who closes it, best by `dispose`. When nothing refers to the namespace any more, its veth goes too. */
  readonly namespaceFd: number;
  readonly macAddress: string;
  readonly interfaceName: "eth0";
  /** The other end of its veth pair, a port of the bridge. */
  readonly hostInterface: string;
  /** Close `namespaceFd`, once. Its addresses stay taken. */
  dispose(): void;
}

/**
 * Kernel settings of containers' namespaces: nobody but the engine tells a container its way, whatever a neighbour
 * advertises; and as with Docker it may ping and bind low ports without capabilities.
 */
export const namespaceSettings = {
  "net/ipv6/conf/all/accept_ra": "0",
  "net/ipv6/conf/default/accept_ra": "0",
  "net/ipv4/ip_unprivileged_port_start": "0",
  "net/ipv4/ping_group_range": "0 2147483647",
} as const;

/**
 * Make an endpoint: one thread, one new namespace, two netlink requests (2 ms, none of them on the event loop).
 *
 * @throws {Fault} `internal` when the kernel refuses, `Error` with the system's code when it makes no namespace.
 */
export async function createEndpoint(request: Omit<InterfaceRequest, "name">): Promise<Endpoint> {
  const { hostInterface, made } = await makeInterface(
    { ...request, name: "eth0" },
    (messages) => createNetworkNamespace({ settings: namespaceSettings, ...messages }),
    ({ fd }) => closeSync(fd),
  );
  let open = true;
  const dispose = () => {
    if (open) closeSync(made.fd);
    open = false;
  };
  return {
    namespaceFd: made.fd,
    macAddress: request.macAddress,
    interfaceName: "eth0",
    hostInterface,
    dispose,
    [Symbol.dispose]: dispose,
  };
}
