import type { MadeParent } from "@hawser/network";

/** Docker's names of what makes a network; `null` is that of `none`. */
export type NetworkDriver = "bridge" | "host" | "null" | "macvlan" | "ipvlan";

/** A subnet as it was asked for, or chosen. */
export interface SubnetConfig {
  readonly subnet: string;
  readonly ipRange?: string;
  readonly gateway?: string;
  readonly auxiliaryAddresses?: Readonly<Record<string, string>>;
}

/** What the engine keeps of a network: all of it in one row of the state database. */
export interface NetworkRecord {
  /** 64 lower-case hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
  readonly driver: NetworkDriver;
  readonly enableIpv4: boolean;
  readonly enableIpv6: boolean;
  readonly subnets: readonly SubnetConfig[];
  /** Families whose subnet nobody asked for: addresses on them cannot be asked for either. */
  readonly chosenFamilies?: readonly (4 | 6)[];
  readonly ipamOptions?: Readonly<Record<string, string>>;
  readonly internal: boolean;
  readonly attachable: boolean;
  /** A template for others, which nobody can be on. */
  readonly configOnly: boolean;
  /** Name of the template that it was made from; empty: none. */
  readonly configFrom: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Of macvlan and ipvlan: the parent is no interface of the host's own. */
  readonly madeParent?: MadeParent;
}

export const predefinedNetworks = ["bridge", "host", "none"] as const;

export function isPredefined(name: string): boolean {
  return (predefinedNetworks as readonly string[]).includes(name);
}
