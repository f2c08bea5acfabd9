import { Fault } from "@hawser/base";
import { volumeFaults } from "./faults.ts";
import type { PluginVolume, VolumePlugin } from "./volume-plugin.ts";
import type { VolumePlugins } from "./volume-plugins.ts";
import type { VolumeRecord } from "./volume-record.ts";
import type { VolumeService } from "./volume-service.ts";

/** A volume, and what its plugin adds. */
export interface DescribedVolume {
  readonly record: VolumeRecord;
  readonly mountpoint: string;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly isGlobal: boolean;
}

/**
 * One volume: also one that nobody has made here but a plugin tells of.
 *
 * @throws {Fault} `not-found`, Docker's words; what its plugin says
 */
export async function describeVolume(
  volumes: VolumeService,
  plugins: VolumePlugins,
  name: string,
): Promise<DescribedVolume> {
  const record = volumes.find(name);
  if (record !== undefined && record.driver === undefined) return ownVolume(volumes, record);
  const candidates =
    record?.driver === undefined ? (await plugins.all()).plugins : [await plugins.get(record.driver)];
  for (const plugin of candidates) {
    const found = await plugin.find(name);
    if (found !== undefined)
      return pluggedVolume(record, found, { plugin, isGlobal: await plugin.isGlobal() });
  }
  throw volumeFaults.NO_SUCH_VOLUME(name);
}

/** Every volume of the engine, and what the plugins that answer tell of; the others are warned of. */
export async function describeVolumes(
  volumes: VolumeService,
  plugins: VolumePlugins,
): Promise<{ readonly volumes: readonly DescribedVolume[]; readonly warnings: readonly string[] }> {
  const { plugins: all, problems } = await plugins.all();
  const warnings = [...problems];
  const described = new Map<string, DescribedVolume>();
  for (const record of volumes.list()) described.set(record.name, ownVolume(volumes, record));
  for (const plugin of all) {
    try {
      const [found, isGlobal] = await Promise.all([plugin.list(), plugin.isGlobal()]);
      for (const volume of found) {
        const record = volumes.find(volume.name);
        if (record !== undefined && record.driver !== plugin.name) continue; // that name is taken
        described.set(volume.name, pluggedVolume(record, volume, { plugin, isGlobal }));
      }
    } catch (error) {
      warnings.push(Fault.from(error).message);
    }
  }
  return { volumes: [...described.values()], warnings };
}

function ownVolume(volumes: VolumeService, record: VolumeRecord): DescribedVolume {
  return {
    record,
    mountpoint: record.driver === undefined ? volumes.mountpointOf(record) : "",
    isGlobal: false,
  };
}

function pluggedVolume(
  record: VolumeRecord | undefined,
  { name, mountpoint, createdAt, status }: PluginVolume,
  { plugin, isGlobal }: { readonly plugin: VolumePlugin; readonly isGlobal: boolean },
): DescribedVolume {
  const madeMs = Date.parse(createdAt);
  const createdAtMs = Number.isNaN(madeMs) ? 0 : madeMs;
  return {
    record: record ?? { name, createdAtMs, driver: plugin.name, anonymous: false },
    mountpoint,
    isGlobal,
    ...(status && { status }),
  };
}
