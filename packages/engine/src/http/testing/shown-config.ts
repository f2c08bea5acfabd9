import { containerDefaults } from "../../config/container-defaults.ts";
import type { SystemCollaborators } from "../../system/system-service.ts";

/** A configuration as far as clients are shown it. */
export function shownConfig(
  change: Partial<SystemCollaborators["live"]["now"]> = {},
): SystemCollaborators["live"] {
  const now = {
    addressPools: [],
    containers: containerDefaults({}),
    dataRoot: "/",
    experimental: false,
    hosts: [],
    labels: [],
    liveRestore: true,
    logLevel: "info",
    proxies: {},
    registries: { mirrors: [], insecure: [], hostFolders: [] },
    ...change,
  } as const;
  return { now };
}
