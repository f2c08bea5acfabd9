import type { BuildContextOfClient } from "@hawser/build/grpc";
import type { RegistryAccess } from "@hawser/registry/client";
import type { BuildService } from "../build-service.ts";
import { type ImportedResults, isCacheFailure, type ResultSource } from "../cache/imported-results.ts";
import { openSource } from "../cache/open-sources.ts";
import type { ExportPorts } from "./export-result.ts";

/** The places that a client has named, each read when it is first asked; what becomes of them is shown as steps. */
export function openImports(
  parts: ExportPorts &
    BuildContextOfClient & {
      readonly builds: BuildService;
      readonly access: (domain: string) => Promise<RegistryAccess>;
    },
): ImportedResults {
  const { cacheImports, progress, builds, signal } = parts;
  const sources = cacheImports.map((request): ResultSource => {
    const source = openSource(request, parts);
    const title = `importing cache manifest from ${source.name}`;
    return { ...source, load: (stop) => progress.step(title, () => source.load(stop)) };
  });
  return builds.openImports(sources, {
    signal,
    warn(name, error) {
      if (!isCacheFailure(error)) return; // the step that failed has told
      const step = progress.step(`leaving out the cache of ${name}`, async () => {
        throw error;
      });
      step.catch(() => {});
    },
  });
}
