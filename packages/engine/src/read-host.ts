import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolverAddresses } from "@hawser/network";
import { readHostFacts } from "@hawser/runtime";
import type { LiveConfig } from "./config/live-config.ts";
import type { ContainerHost } from "./containers/host.ts";

/** What containers are given and asked of this host; what may be reloaded is read from `live` at each use. */
export async function readHost(live: LiveConfig): Promise<ContainerHost> {
  const facts = await readHostFacts();
  const config = live.now;
  return {
    dataRoot: config.dataRoot,
    execRoot: config.execRoot,
    defaults: config.containers,
    get runtimes() {
      return live.now.runtimes;
    },
    get defaultRuntime() {
      return live.now.defaultRuntime;
    },
    cgroupParent: config.cgroupParent,
    cgroups: facts.cgroups,
    facts: { ...facts, ...(config.userMap && { userMap: config.userMap }) },
    initPath: config.initPath,
    stopTimeoutSeconds: 10,
    get runtimeDeadlineMs() {
      return live.now.runtimeDeadlineSeconds * 1000;
    },
    now: Date.now,
    randomBytes,
  };
}

/** The name servers that the host asks, which networks must not hide. */
export async function readResolvers(): Promise<readonly string[]> {
  const paths = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];
  const texts = await Promise.all(paths.map((path) => readFile(path, "utf8").catch(() => "")));
  return resolverAddresses(texts.join("\n"));
}

/** `undefined` when this host has no such group: the sockets are root's alone then. */
export async function findGroupId(name: string): Promise<number | undefined> {
  const groups = await readFile("/etc/group", "utf8").catch(() => "");
  const line = groups.split("\n").find((text) => text.startsWith(`${name}:`));
  const [, , id] = line?.split(":") ?? [];
  return id === undefined ? undefined : Number(id);
}
