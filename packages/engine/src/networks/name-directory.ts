import type { NameZone } from "@hawser/network";
import type { ContainerIndex } from "../containers/container-index.ts";
import type { ContainerId } from "../containers/container-record.ts";
import { attachmentsOf } from "./attachment.ts";
import { dnsNamesOf } from "./dns-names.ts";
import { isPredefined } from "./network-record.ts";

/** The names of one network. */
interface Names {
  /** In lower case. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  readonly owners: ReadonlyMap<string, string>;
}

/** Who is called what on which network: made anew from the records whenever names or places of containers have changed. */
export class NameDirectory {
  readonly #index: ContainerIndex;
  #version = -1;
  #networks: ReadonlyMap<string, Names> = new Map();

  constructor(index: ContainerIndex) {
    this.#index = index;
  }

  /** What a container can ask for: the names on its networks, those of its links first. */
  zoneOf(id: ContainerId): NameZone {
    return {
      lookup: (name) => {
        const record = this.#index.find(id)?.record;
        for (const { networkId, wish } of record === undefined ? [] : attachmentsOf(record)) {
          const names = this.#namesOf(networkId);
          const target = linkTarget(wish.links, name) ?? name;
          const found = names?.addresses.get(target);
          if (found !== undefined) return found;
        }
        return undefined;
      },
      reverse: (address) => {
        const record = this.#index.find(id)?.record;
        for (const { networkId } of record === undefined ? [] : attachmentsOf(record)) {
          const owner = this.#namesOf(networkId)?.owners.get(address);
          if (owner !== undefined) return owner;
        }
        return undefined;
      },
    };
  }

  #namesOf(networkId: string): Names | undefined {
    if (this.#version !== this.#index.namesVersion) {
      this.#version = this.#index.namesVersion;
      this.#networks = collect(this.#index);
    }
    return this.#networks.get(networkId);
  }
}

function collect(index: ContainerIndex): ReadonlyMap<string, Names> {
  const networks = new Map<string, { addresses: Map<string, string[]>; owners: Map<string, string> }>();
  for (const { record } of index.list().toReversed()) {
    for (const attachment of attachmentsOf(record)) {
      const { network, networkId, endpoint } = attachment;
      if (endpoint === undefined || isPredefined(network)) continue;
      const own = networks.get(networkId) ?? { addresses: new Map(), owners: new Map() };
      networks.set(networkId, own);
      const { address, ipv6 } = endpoint;
      const addresses = [...(address === "" ? [] : [address]), ...(ipv6 ? [ipv6.address] : [])];
      for (const one of addresses) own.owners.set(one, `${record.name}.${network}`);
      for (const name of dnsNamesOf(attachment, record)) {
        for (const key of [name, `${name}.${network}`].map((text) => text.toLowerCase())) {
          own.addresses.set(key, [...(own.addresses.get(key) ?? []), ...addresses]);
        }
      }
    }
  }
  return networks;
}

/** `--link db:database`: `database` is what this container calls `db`. */
function linkTarget(links: readonly string[], name: string): string | undefined {
  for (const link of links) {
    const [target = "", alias = target] = link.split(":");
    if (alias.toLowerCase() === name) return target.toLowerCase();
  }
  return undefined;
}
