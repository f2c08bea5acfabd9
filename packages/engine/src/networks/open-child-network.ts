import { type ChildKind, ChildNetwork, childModes, parseCidr, parseIp } from "@hawser/network";
import { mtuOf } from "./bridge-options.ts";
import { networkServiceFaults } from "./faults.ts";
import type { NetworkRecord } from "./network-record.ts";
import { gatewayOf } from "./plan-network.ts";

/** Of what networks of these drivers are on. Nobody named it: an interface of the network's own, named as Docker names it. */
export function parentOf({ id, options }: Pick<NetworkRecord, "id" | "options">): string {
  return options["parent"] || `dm-${id.slice(0, 12)}`;
}

/**
 * A network of driver macvlan or ipvlan, with Docker's options: `parent`, `macvlan_mode`, `ipvlan_mode`. Without a parent its
 * containers reach each other alone.
 *
 * @throws {Fault} `invalid-argument` for the options, `not-found` for the parent
 */
export async function openChildNetwork(
  record: NetworkRecord,
  { kind, reserved }: { readonly kind: ChildKind; readonly reserved: readonly string[] },
): Promise<ChildNetwork> {
  const { options, madeParent } = record;
  const parent = parentOf(record);
  const modeOption = `${kind}_mode`;
  const mode = options[modeOption] || (kind === "macvlan" ? "bridge" : "l2");
  const isNamed = /^[^\s/]{1,15}$/.test(parent);
  if (!isNamed)
    throw networkServiceFaults.OPTION_INVALID("parent", parent, "the name of an interface was wanted");
  if (!Object.hasOwn(childModes[kind], mode)) {
    const known = Object.keys(childModes[kind]).join(", ");
    throw networkServiceFaults.OPTION_INVALID(modeOption, mode, `one of ${known} was wanted`);
  }
  return await ChildNetwork.open({
    kind,
    parent,
    ...(madeParent && { madeParent }),
    mode,
    mtu: mtuOf(options),
    internal: record.internal || !options["parent"],
    reserved,
    subnets: record.subnets.flatMap((config) => {
      const prefix = parseCidr(config.subnet)?.prefix;
      if (prefix === undefined) return [];
      const gateway = parseIp(gatewayOf(config));
      const range = config.ipRange === undefined ? undefined : parseCidr(config.ipRange)?.prefix;
      const auxiliary = Object.values(config.auxiliaryAddresses ?? {});
      return {
        prefix,
        ...(gateway && { gateway }),
        ...(range && { range }),
        reserved: auxiliary.flatMap((text) => parseIp(text) ?? []),
      };
    }),
  });
}
