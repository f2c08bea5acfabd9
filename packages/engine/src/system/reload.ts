import type { ReloadableConfig } from "../config/engine-config.ts";

/** What the event of a reload tells, in Docker's words: all that a reload may change, as it is now. */
export function reloadAttributes(config: ReloadableConfig): Readonly<Record<string, string>> {
  const features = Object.entries(config.features).map(([name, on]) => `${name}:${on}`);
  const runtimes = Object.entries(config.runtimes).map(
    ([name, { path, args }]) =>
      `${name}:${JSON.stringify({ path, ...(args.length > 0 && { runtimeArgs: args }) })}`,
  );
  return {
    "allow-nondistributable-artifacts": "[]",
    debug: String(config.logLevel === "debug"),
    "default-runtime": config.defaultRuntime,
    features: `map[${features.toSorted().join(" ")}]`,
    "insecure-registries": JSON.stringify(config.registries.insecure),
    labels: JSON.stringify(config.labels),
    "live-restore": String(config.liveRestore),
    "max-concurrent-downloads": String(config.maxConcurrentDownloads),
    "max-concurrent-uploads": String(config.maxConcurrentUploads),
    "max-download-attempts": String(config.maxDownloadAttempts),
    "registry-mirrors": JSON.stringify(config.registries.mirrors),
    runtimes: runtimes.join(" "),
    "shutdown-timeout": String(config.shutdownTimeoutSeconds),
  };
}
