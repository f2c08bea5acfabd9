import { networkFaults } from "./faults.ts";
import { change, errnoName, findLink } from "./netlink/host-network.ts";
import { createDummy, createVlan, deleteLink, setLink } from "./netlink/link.ts";

/** A parent that is made for a network: an interface that leads nowhere, or a VLAN of one of the host's. */
export type MadeParent = "dummy" | "vlan";

/**
 * What must be made for a new network to be on `name`: nothing where it is there; where nobody named any, an interface that
 * leads nowhere; a VLAN for `eth0.50`.
 *
 * @throws {Fault} `not-found`, `invalid-argument`; Docker's words of a VLAN
 */
export function planParentLink(name: string): MadeParent | undefined {
  if (name === "") return "dummy";
  if (findLink(name) !== undefined) return undefined;
  vlanMessage(name);
  return "vlan";
}

function parseVlanName(name: string): { readonly parent: string; readonly vlanId: number } {
  const [, parent = "", digits = ""] = /^([^.]+)\.(.+)$/.exec(name) ?? [];
  if (parent === "") throw networkFaults.NO_PARENT(name);
  if (!/^-?\d{1,9}$/.test(digits)) throw networkFaults.VLAN_NUMBER(name);
  const vlanId = Number(digits);
  if (vlanId < 1 || vlanId > 4094) throw networkFaults.VLAN_RANGE(vlanId);
  return { parent, vlanId };
}

/**
 * The index of a parent, which is made where it was made before and is gone.
 *
 * @throws {Fault} `not-found`, `not-implemented` when the kernel lacks the kind
 */
export async function ensureParentLink(name: string, made: MadeParent | undefined): Promise<number> {
  const link = findLink(name);
  if (link !== undefined) return link.index;
  if (made === undefined) throw networkFaults.NO_PARENT(name);
  const message = made === "dummy" ? createDummy({ name }) : vlanMessage(name);
  await changeOfKind(made, `make interface ${name}`, [message, setLink({ name, up: true })]);
  const index = findLink(name)?.index;
  if (index === undefined) throw networkFaults.REFUSED(`make interface ${name}`, "ENODEV", "it has vanished");
  return index;
}

function vlanMessage(name: string) {
  const { parent, vlanId } = parseVlanName(name);
  const link = findLink(parent);
  if (link === undefined) throw networkFaults.VLAN_PARENT(parent);
  return createVlan({ name, vlanId, parentIndex: link.index });
}

/** Remove a parent that was made; fine when it is gone. */
export async function removeParentLink(name: string): Promise<void> {
  await change(`remove interface ${name}`, [deleteLink(name)], { accept: ["ENODEV"] });
}

/** As `change`. @throws {Fault} `not-implemented` when the kernel lacks the kind of interface */
export async function changeOfKind(kind: string, ...args: Parameters<typeof change>): Promise<void> {
  try {
    await change(...args);
  } catch (error) {
    if (error instanceof Error && error.message.includes(errnoName(95)))
      throw networkFaults.KIND_MISSING(kind);
    throw error;
  }
}
