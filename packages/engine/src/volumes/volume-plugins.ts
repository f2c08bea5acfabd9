import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Fault } from "@hawser/base";
import { volumeFaults } from "./faults.ts";
import { VolumePlugin } from "./volume-plugin.ts";
import type { VolumeRecord } from "./volume-record.ts";

const endings = [".sock", ".spec", ".json"] as const;

/**
 * The volume plugins of this host, found as Docker finds them: in each folder `<name>.sock`, or a file that names the socket,
 * `<name>.spec` (`unix:///path`) or `<name>.json` (`{"Name": …, "Addr": "unix:///path"}`); all of them also one folder down,
 * `<name>/<name>.sock`. Looked for at each use: plugins come and go.
 */
export class VolumePlugins {
  readonly #folders: readonly string[];
  /** Those that have said what they are, by name and socket. */
  readonly #known = new Map<string, VolumePlugin>();

  constructor(folders: readonly string[]) {
    this.#folders = folders;
  }

  /** Names of all plugins, volume drivers or not. */
  async names(): Promise<readonly string[]> {
    const found = await Promise.all(
      this.#folders.map(async (folder) => {
        const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
        return entries.flatMap((entry) => {
          if (entry.isDirectory()) return entry.name;
          const ending = endings.find((text) => entry.name.endsWith(text));
          return ending === undefined ? [] : entry.name.slice(0, -ending.length);
        });
      }),
    );
    const candidates = [...new Set(found.flat())].toSorted();
    const sockets = await Promise.all(candidates.map((name) => this.#socketOf(name)));
    return candidates.filter((_name, index) => sockets[index] !== undefined);
  }

  /** @throws {Fault} `not-found`, Docker's words, when there is none of that name that is a volume driver; `unavailable` */
  async get(name: string): Promise<VolumePlugin> {
    const socket = await this.#socketOf(name);
    if (socket === undefined) throw volumeFaults.VOLUME_DRIVER_UNKNOWN(name);
    const known = this.#known.get(`${name} ${socket}`);
    if (known !== undefined) return known;
    const plugin = new VolumePlugin(name, socket);
    if (!(await plugin.isVolumeDriver())) throw volumeFaults.VOLUME_DRIVER_UNKNOWN(name);
    this.#known.set(`${name} ${socket}`, plugin);
    return plugin;
  }

  /** All that are volume drivers and answer, and what is wrong with others. */
  async all(): Promise<{ readonly plugins: readonly VolumePlugin[]; readonly problems: readonly string[] }> {
    const plugins: VolumePlugin[] = [];
    const problems: string[] = [];
    for (const name of await this.names()) {
      try {
        plugins.push(await this.get(name));
      } catch (error) {
        if (!Fault.is(error, "not-found")) problems.push(Fault.from(error).message);
      }
    }
    return { plugins, problems };
  }

  /** The plugin that has a volume of that name, whoever made it. One that does not answer has none. */
  async findOwner(volume: string): Promise<VolumePlugin | undefined> {
    for (const plugin of (await this.all()).plugins) {
      const found = await plugin.find(volume).catch((error: unknown) => {
        if (!Fault.is(error, "unavailable")) throw error;
      });
      if (found !== undefined) return plugin;
    }
    return undefined;
  }

  /** Have a plugin make a volume, unless it has it. @throws {Fault} `not-found`, `internal` with its words; Docker's words */
  async createVolume(driver: string, name: string, options: Readonly<Record<string, string>>): Promise<void> {
    try {
      const plugin = await this.get(driver);
      if ((await plugin.find(name)) === undefined) await plugin.create(name, options);
    } catch (error) {
      const { message } = Fault.from(error);
      throw Fault.is(error, "not-found")
        ? volumeFaults.VOLUME_CREATE_UNKNOWN_DRIVER(name, message).because(error)
        : volumeFaults.VOLUME_CREATE_FAILED(name, message).because(error);
    }
  }

  /** Have the plugin of a volume, if one has it, remove it. @throws {Fault} `internal`, with its words, unless `force` */
  async removeVolume({ name, driver }: VolumeRecord, { force }: { readonly force: boolean }): Promise<void> {
    if (driver === undefined) return;
    try {
      await (await this.get(driver)).remove(name);
    } catch (error) {
      if (!force) throw volumeFaults.VOLUME_REMOVE_FAILED(name, Fault.from(error).message).because(error);
    }
  }

  async #socketOf(name: string): Promise<string | undefined> {
    if (!isPluginName(name)) return undefined;
    for (const folder of this.#folders) {
      for (const place of [join(folder, name), join(folder, name, name)]) {
        if (await isSocket(`${place}.sock`)) return `${place}.sock`;
        const text = (await readText(`${place}.spec`)) ?? addressIn(await readText(`${place}.json`));
        const [, path] = /^unix:\/\/(\/\S+)\s*$/.exec(text ?? "") ?? [];
        if (path !== undefined) return path;
      }
    }
    return undefined;
  }
}

/** One that cannot lead out of a folder. */
function isPluginName(name: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(name);
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isSocket();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

function addressIn(text: string | undefined): string | undefined {
  try {
    const { Addr: address } = JSON.parse(text ?? "") as { readonly Addr?: unknown };
    return typeof address === "string" ? address : undefined;
  } catch {
    return undefined;
  }
}
