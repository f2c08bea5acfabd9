import type { Logger } from "@hawser/base";
import {
  type Builder,
  type BuildOfDockerfile,
  type BuildServices,
  createBuildServices,
  type KeptResult,
} from "@hawser/build/grpc";
import { platformOfNode } from "@hawser/oci";
import type { BuildService } from "../build-service.ts";
import type { KeptRecord } from "../kept-records.ts";
import type { PruneCandidate } from "../select-pruned.ts";
import type { ExportPorts } from "./export-result.ts";
import type { GivenFiles } from "./given-files.ts";
import { type PlannedResults, SessionBuild } from "./session-build.ts";

const workerLabels = {
  "org.mobyproject.buildkit.worker.executor": "hawser",
  // Where a worker has a snapshotter of its own, buildx lets users ask for archives and pushes.
  "org.mobyproject.buildkit.worker.snapshotter": "overlay",
};

/** What buildx puts in the place of `host-gateway`, which it refuses where a worker does not tell. */
const gatewayLabel = "org.mobyproject.buildkit.worker.moby.host-gateway-ip";

/** BuildKit's services, and builds of clients that give with their request what others serve. */
export interface EngineBuildServices extends BuildServices {
  /** @throws {Fault} as `BuildServices.build` */
  buildGiven(
    given: GivenFiles,
    request: Omit<BuildOfDockerfile, "open">,
  ): Promise<Readonly<Record<string, string>>>;
}

/** BuildKit's services, by this engine. */
export function openBuildServices(
  builds: BuildService,
  options: {
    readonly ports: ExportPorts;
    /** The engine's own id and version. */
    readonly engine: { readonly id: string; readonly version: string };
    readonly log: Logger;
  },
): EngineBuildServices {
  const { ports, engine, log } = options;
  const host = platformOfNode(process);
  const { places } = ports.collaborators;
  const { now } = ports.collaborators.host;
  const results: PlannedResults = new WeakMap();
  const builder: Builder = {
    about: {
      ...engine,
      platforms: [host],
      labels: { ...workerLabels, ...(places.hostGateway && { [gatewayLabel]: places.hostGateway }) },
    },
    open: async (context) => new SessionBuild(builds, { ports, context, results }),
    usage: async () => builds.kept().map(keptResult),
    async prune(wanted, room) {
      const before = builds.kept().map(keptResult);
      const byId = new Map(before.map((result) => [result.id, result]));
      const resultOf = ({ id, ...candidate }: PruneCandidate): KeptResult =>
        byId.get(id) ?? { ...nothingKept, ...candidate, id, lastUsedAtMs: candidate.lastUsedMs };
      const { keys } = await builds.prune((candidate) => wanted(resultOf(candidate)), room);
      return before.filter(({ id }) => keys.includes(id));
    },
  };
  const services = createBuildServices(builder, { host, now, log });
  return {
    ...services,
    buildGiven: (given, request) =>
      services.build({
        ...request,
        open: async (context) => new SessionBuild(builds, { ports, context, results, given }),
      }),
  };
}

/** Of files that builds keep, whose size nobody counts. */
const nothingKept = { sizeBytes: 0, createdAtMs: 0, usageCount: 0, parents: [] } as const;

function keptResult({ key, lastUsedMs, useCount, ...record }: KeptRecord): KeptResult {
  const { description, sizeBytes, createdAtMs, isShared, isInUse } = record;
  const times = { createdAtMs, lastUsedAtMs: lastUsedMs, usageCount: useCount };
  return { id: key, type: "regular", description, sizeBytes, ...times, isShared, isInUse, parents: [] };
}
