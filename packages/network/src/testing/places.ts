import { once } from "node:events";
import { closeSync } from "node:fs";
import { createServer } from "node:net";
import { runProgram } from "@hawser/base";
import { openNetworkNamespace, socketInNamespace } from "@hawser/linux";
import type { BridgeNetwork } from "../bridge-network.ts";

/** A container's namespace on a network. */
export async function openPlace(
  network: BridgeNetwork,
  wanted: Parameters<BridgeNetwork["lease"]>[0] = {},
  beside: readonly string[] = [],
) {
  const namespaceFd = await openNetworkNamespace();
  const lease = network.lease(wanted);
  const gateways = { ipv4: true, ipv6: true };
  const hostInterface = await network.plug(lease, { namespaceFd, name: "eth0", gateways, beside });
  return {
    namespaceFd,
    hostInterface,
    lease,
    ipv4: lease.ipv4?.address ?? "",
    ipv6: lease.ipv6?.address ?? "",
    [Symbol.dispose]: () => closeSync(namespaceFd),
  };
}

/** A TCP server that tells each client its address. `namespaceFd` absent: the host's own. */
export async function openTcp(address: string, port: number, namespaceFd?: number) {
  const server = createServer((socket) => socket.end(`${socket.remoteAddress}\n`));
  if (namespaceFd === undefined) server.listen(port, address);
  else server.listen({ fd: socketInNamespace({ namespaceFd, protocol: "tcp", address, port }) });
  await once(server, "listening");
  return server;
}

/** Whether there is no way to a server. */
export async function isClosed(address: string, port: number, namespaceFd?: number): Promise<boolean> {
  return (await ask(address, port, namespaceFd, 0.4)) === undefined;
}

/** Without `--norc` a shell whose input is a socket takes itself for one of rshd's, and reads its user's start-up file. */
export const bash = ["bash", "--norc", "-c"] as const;

/** What a TCP server says to a client; `undefined` when there is no way. */
export async function ask(
  address: string,
  port: number,
  namespaceFd?: number,
  patienceSeconds = 5,
): Promise<string | undefined> {
  const enter = namespaceFd === undefined ? [] : ["nsenter", `--net=/proc/${process.pid}/fd/${namespaceFd}`];
  const script = `exec 3<>/dev/tcp/${address}/${port} && cat <&3`;
  const argv = [...enter, "timeout", `${patienceSeconds}`, ...bash, script] as unknown as readonly [
    string,
    ...string[],
  ];
  const { exitCode, stdout } = await runProgram([...argv], {});
  return exitCode === 0 ? stdout.trim() : undefined;
}
