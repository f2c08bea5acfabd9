import type { EngineConfig, ReloadableConfig } from "./engine-config.ts";

/** The configuration as it is now. What a reload may change is read here, each time. */
export interface LiveConfig {
  readonly now: EngineConfig;
}

/** The configuration with what a newer reading of it may change. */
export function reloadedConfig(current: EngineConfig, read: ReloadableConfig): EngineConfig {
  const { logLevel, labels, features, runtimes, defaultRuntime, registries, liveRestore } = read;
  const {
    maxConcurrentDownloads,
    maxConcurrentUploads,
    maxDownloadAttempts,
    shutdownTimeoutSeconds,
    runtimeDeadlineSeconds,
  } = read;
  return {
    ...current,
    logLevel,
    labels,
    features,
    runtimes,
    defaultRuntime,
    registries,
    liveRestore,
    runtimeDeadlineSeconds,
    maxConcurrentDownloads,
    maxConcurrentUploads,
    maxDownloadAttempts,
    shutdownTimeoutSeconds,
  };
}
