import { createHash } from "node:crypto";
import { join } from "node:path";

/** The two names of the engine: Hawser's own, and Docker's, under which it has Docker's places and habits. */
export type EngineProgram = "hawserd" | "dockerd";

/** Where an engine is when nothing else is said. */
export interface Layout {
  readonly configFile: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly pidFile: string;
  readonly socket: string;
  readonly group: string;
  readonly bridge: string;
  /** The subnet that the bridge has if that is free. */
  readonly bridgePreferred?: string;
  readonly nftTable: string;
  readonly cgroupParent: string;
  readonly liveRestore: boolean;
}

const places = {
  hawserd: {
    configFile: "/etc/hawser/daemon.json",
    dataRoot: "/var/lib/hawser",
    execRoot: "/run/hawser",
    group: "hawser",
    bridge: "hawser0",
    nftTable: "hawser",
    cgroupParent: "/hawser",
    liveRestore: true,
  },
  dockerd: {
    configFile: "/etc/docker/daemon.json",
    dataRoot: "/var/lib/docker",
    execRoot: "/var/run/docker",
    group: "docker",
    bridge: "docker0",
    bridgePreferred: "172.17.0.0/16",
    nftTable: "docker",
    cgroupParent: "/docker",
    liveRestore: false,
  },
} as const;

/**
 * The default places of an engine. One with another exec root than its program's own has bridge, nftables table and cgroups
 * of its own, too, so that engines can be beside each other with the flags that dockerd needs for that.
 */
export function layoutOf(program: EngineProgram, execRoot?: string): Layout {
  const own = places[program];
  const root = execRoot ?? own.execRoot;
  const isFirst = root === own.execRoot;
  const mark = createHash("sha256").update(root).digest("hex").slice(0, 8);
  return {
    ...own,
    execRoot: root,
    pidFile: program === "dockerd" ? "/var/run/docker.pid" : join(root, "engine.pid"),
    socket: program === "dockerd" ? "/var/run/docker.sock" : join(root, "hawser.sock"),
    ...(!isFirst && {
      bridge: `hw-${mark}`,
      nftTable: `${own.nftTable}_${mark}`,
      cgroupParent: `${own.cgroupParent}-${mark}`,
    }),
  };
}
