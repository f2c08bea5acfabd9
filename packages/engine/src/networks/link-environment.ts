import type { ContainerPort } from "./port-requests.ts";

/** A container that another knows under a name of its own, on the default bridge. */
export interface Link {
  /** Name of the container that has the link. */
  readonly owner: string;
  readonly alias: string;
  /** Address of the other. */
  readonly address: string;
  /** What the other offers. */
  readonly ports: readonly ContainerPort[];
  /** `NAME=value` of the other. */
  readonly environment: readonly string[];
}

/**
 * What a container is told of one that it links to: `DB_PORT_5432_TCP=tcp://172.17.0.2:5432` and so on (Docker's documentation
 * of legacy container links). Ports that follow one another are told as a range, too.
 */
export function linkEnvironment({ owner, alias, address, ports, environment }: Link): readonly string[] {
  const name = alias.toUpperCase().replaceAll("-", "_");
  const sorted = ports.toSorted(
    (a, b) => Number(b.protocol === "tcp") - Number(a.protocol === "tcp") || a.port - b.port,
  );
  const place = ({ port, protocol }: ContainerPort) => `${protocol}://${address}:${port}`;
  const nameOf = ({ port, protocol }: ContainerPort) => `${name}_PORT_${port}_${protocol.toUpperCase()}`;
  const [first] = sorted;
  return [
    ...(first === undefined ? [] : [`${name}_PORT=${place(first)}`]),
    ...rangesOf(sorted).flatMap(([from, to]) => [
      `${nameOf(from)}_START=${place(from)}`,
      `${nameOf(from)}_PORT_START=${from.port}`,
      `${nameOf(from)}_END=${place(to)}`,
      `${nameOf(from)}_PORT_END=${to.port}`,
    ]),
    ...sorted.flatMap((port) => [
      `${nameOf(port)}=${place(port)}`,
      `${nameOf(port)}_ADDR=${address}`,
      `${nameOf(port)}_PORT=${port.port}`,
      `${nameOf(port)}_PROTO=${port.protocol}`,
    ]),
    `${name}_NAME=/${owner}/${alias}`,
    ...environment.flatMap((text) => {
      const [, variable = "", value = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
      return ["", "HOME", "PATH"].includes(variable) ? [] : [`${name}_ENV_${variable}=${value}`];
    }),
  ];
}

/** Of ports in order: the first and the last of those that follow one another. */
function rangesOf(ports: readonly ContainerPort[]): readonly (readonly [ContainerPort, ContainerPort])[] {
  const ranges: [ContainerPort, ContainerPort][] = [];
  for (const port of ports) {
    const range = ranges.at(-1);
    if (range?.[1].protocol === port.protocol && range[1].port === port.port - 1) range[1] = port;
    else ranges.push([port, port]);
  }
  return ranges.filter(([from, to]) => from !== to);
}
