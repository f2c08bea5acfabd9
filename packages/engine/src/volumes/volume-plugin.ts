import { request } from "node:http";
import { Fault } from "@hawser/base";
import { volumeFaults } from "./faults.ts";

/** A volume as its plugin tells of it. */
export interface PluginVolume {
  readonly name: string;
  /** Empty while the plugin does not have it mounted. */
  readonly mountpoint: string;
  /** RFC 3339, or empty. */
  readonly createdAt: string;
  readonly status?: Readonly<Record<string, unknown>>;
}

type Json = Readonly<Record<string, unknown>>;

/** One call may take as long as a server that the plugin asks. */
const callTimeoutMs = 120_000;
/** Questions whose answer a plugin has at hand; who asks wants something else, and shall not wait for a plugin that hangs. */
const questionTimeoutMs = 5_000;
/** Lists of volumes may be long. */
const maxAnswerBytes = 16 * 2 ** 20;

/**
 * A volume driver in another process, by Docker's plugin protocol 1.2: JSON over HTTP on a unix socket, one `POST` a call. What
 * it answers is checked; what it does is its own affair.
 */
export class VolumePlugin {
  readonly name: string;
  readonly #socket: string;

  constructor(name: string, socket: string) {
    this.name = name;
    this.#socket = socket;
  }

  /** Whether it says of itself that it is a volume driver. @throws {Fault} `unavailable` when it does not answer */
  async isVolumeDriver(): Promise<boolean> {
    const { Implements: roles } = await this.#call("Plugin.Activate", {}, questionTimeoutMs);
    return Array.isArray(roles) && roles.includes("VolumeDriver");
  }

  /** Whether its volumes are the same on every host; a plugin that does not say: no. */
  async isGlobal(): Promise<boolean> {
    const answer = await this.#call("VolumeDriver.Capabilities", {}, questionTimeoutMs).catch(
      () => undefined,
    );
    return (answer?.["Capabilities"] as Json | undefined)?.["Scope"] === "global";
  }

  async create(name: string, options: Readonly<Record<string, string>>): Promise<void> {
    await this.#call("VolumeDriver.Create", { Name: name, Opts: options });
  }

  async remove(name: string): Promise<void> {
    await this.#call("VolumeDriver.Remove", { Name: name });
  }

  /** The folder of this host that the volume is at for `user`, until `unmount`. */
  async mount(name: string, user: string): Promise<string> {
    const { Mountpoint: folder } = await this.#call("VolumeDriver.Mount", { Name: name, ID: user });
    if (typeof folder !== "string" || !folder.startsWith("/")) {
      throw volumeFaults.PLUGIN_ANSWER(this.name, `no folder that ${name} is mounted at`);
    }
    return folder;
  }

  async unmount(name: string, user: string): Promise<void> {
    await this.#call("VolumeDriver.Unmount", { Name: name, ID: user });
  }

  /** `undefined`: it has no such volume, or says that it cannot tell. @throws {Fault} `unavailable` */
  async find(name: string): Promise<PluginVolume | undefined> {
    try {
      const { Volume: volume } = await this.#call("VolumeDriver.Get", { Name: name }, questionTimeoutMs);
      return parseVolume(volume);
    } catch (error) {
      if (Fault.is(error, "internal")) return undefined;
      throw error;
    }
  }

  async list(): Promise<readonly PluginVolume[]> {
    const { Volumes: volumes } = await this.#call("VolumeDriver.List", {}, questionTimeoutMs);
    return Array.isArray(volumes) ? volumes.flatMap((volume) => parseVolume(volume) ?? []) : [];
  }

  /** @throws {Fault} `internal` with the plugin's words, `unavailable` */
  async #call(method: string, body: Json, timeoutMs = callTimeoutMs): Promise<Json> {
    const { status, text } = await this.#post(method, { body: JSON.stringify(body), timeoutMs });
    const answer = parseJson(text);
    const problem = answer?.["Err"];
    if (typeof problem === "string" && problem !== "") throw volumeFaults.PLUGIN_FAILED(problem);
    if (status !== 200)
      throw volumeFaults.PLUGIN_FAILED(`${method}: ${text.trim().slice(0, 1000) || status}`);
    if (answer === undefined) throw volumeFaults.PLUGIN_ANSWER(this.name, `no JSON to ${method}`);
    return answer;
  }

  async #post(
    method: string,
    { body, timeoutMs }: { readonly body: string; readonly timeoutMs: number },
  ): Promise<{ readonly status: number; readonly text: string }> {
    const type = "application/vnd.docker.plugins.v1.2+json";
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
    const call = request({
      socketPath: this.#socket,
      method: "POST",
      path: `/${method}`,
      headers: { accept: type, "content-type": type, "content-length": Buffer.byteLength(body) },
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
    });
    call.on("error", reject);
    call.on("response", (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("error", reject);
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxAnswerBytes) response.destroy(new Error("the answer is too long"));
        else chunks.push(chunk);
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    call.end(body);
    try {
      return await promise;
    } catch (error) {
      throw volumeFaults.PLUGIN_UNREACHABLE(this.name, Fault.from(error).message).because(error);
    }
  }
}

function parseJson(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

function parseVolume(value: unknown): PluginVolume | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { Name: name, Mountpoint: mountpoint, CreatedAt: createdAt, Status: status } = value as Json;
  if (typeof name !== "string" || name === "") return undefined;
  return {
    name,
    mountpoint: typeof mountpoint === "string" ? mountpoint : "",
    createdAt: typeof createdAt === "string" ? createdAt : "",
    ...(typeof status === "object" && status !== null && { status: status as Json }),
  };
}
