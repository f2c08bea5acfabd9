import { parsePlatform, parseReference, platformOfNode } from "@hawser/oci";
import type { HostConfig } from "@hawser/runtime";
import type { ImagePin, ImagePins, SourcePins } from "../../builds/build-sources.ts";
import type { GivenFolder } from "../../builds/buildkit/given-files.ts";
import { httpFaults } from "../faults.ts";
import type { ApiRequest } from "../request.ts";
import { adapt, integer, list, map, optional, record, string } from "./codec.ts";

/** What is to be built, as `POST /build` says it in its query. @throws {Fault} `invalid-argument` */
export function readBuildRequest(request: ApiRequest) {
  const { query } = request;
  const target = query.text("target") ?? "";
  const platform = query.text("platform") ?? "";
  const network = query.text("networkmode") ?? "";
  const host = platformOfNode(process);
  return {
    dockerfile: query.text("dockerfile") || "Dockerfile",
    ...(target !== "" && { target }),
    buildArgs: readMap(request, "buildargs"),
    labels: readMap(request, "labels"),
    names: query.texts("t").filter((name) => name !== "" && parseReference(name)),
    network: networkOf(network),
    ...(platform !== "" && { platform: parsePlatform(platform, host) }),
    noCache: query.flag("nocache"),
    cacheFrom: readCacheFrom(request),
    pull: query.flag("pull"),
    limits: readLimits(request),
  };
}

/** `cachefrom`, a JSON list of names of images. @throws {Fault} `invalid-argument` */
export function readCacheFrom(request: ApiRequest): readonly string[] {
  const text = request.query.text("cachefrom") ?? "";
  if (text === "") return [];
  const value = parseQueryJson("cachefrom", text);
  if (value === null) return [];
  if (!Array.isArray(value)) throw httpFaults.QUERY_JSON("cachefrom");
  return value.flatMap((name: unknown) => {
    if (typeof name !== "string") throw httpFaults.QUERY_JSON("cachefrom");
    if (name === "") return [];
    parseReference(name);
    return [name];
  });
}

/** Other networks than these two are the default one for builds. */
function networkOf(mode: string): "default" | "none" | "host" {
  return mode === "none" || mode === "host" ? mode : "default";
}

/** A JSON object of texts; `null`s, which mean "from the environment of the client", are nothing. */
function readMap(request: ApiRequest, name: string): Readonly<Record<string, string>> {
  const text = request.query.text(name) ?? "";
  if (text === "") return {};
  const value = parseQueryJson(name, text);
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw httpFaults.QUERY_JSON(name);
  const entries: [string, string][] = [];
  for (const [key, item] of Object.entries(value)) {
    if (item === null) continue;
    if (typeof item !== "string") throw httpFaults.QUERY_JSON(name);
    entries.push([key, item]);
  }
  return Object.fromEntries(entries);
}

/** Bounds of processes, as `POST /build` says them. */
export function readLimits({ query }: ApiRequest): Partial<HostConfig> {
  const numbers: Readonly<Record<string, keyof HostConfig>> = {
    memory: "memoryBytes",
    memswap: "memorySwapBytes",
    cpushares: "cpuShares",
    cpuperiod: "cpuPeriodUs",
    cpuquota: "cpuQuotaUs",
    shmsize: "shmSizeBytes",
  };
  const texts: Readonly<Record<string, keyof HostConfig>> = {
    cpusetcpus: "cpusetCpus",
    cpusetmems: "cpusetMems",
    cgroupparent: "cgroupParent",
  };
  const found: [string, unknown][] = [];
  for (const [name, field] of Object.entries(numbers)) {
    const value = query.integer(name);
    if (value !== undefined && value !== 0) found.push([field, value]);
  }
  for (const [name, field] of Object.entries(texts)) {
    const value = query.text(name) ?? "";
    if (value !== "") found.push([field, value]);
  }
  const hosts = query.texts("extrahosts").filter((host) => host !== "");
  if (hosts.length > 0) found.push(["extraHosts", hosts]);
  return Object.fromEntries(found) as Partial<HostConfig>;
}

/** The same, as attributes of BuildKit's front end. @throws {Fault} `invalid-argument` */
export function readFrontendAttributes(request: ApiRequest): Readonly<Record<string, string>> {
  const { query } = request;
  const prefixed = (prefix: string, map: Readonly<Record<string, string>>) =>
    Object.entries(map).map(([name, value]) => [`${prefix}:${name}`, value] as const);
  const texts = [
    ["filename", query.text("dockerfile")],
    ["target", query.text("target")],
    ["platform", query.text("platform")],
    ["force-network-mode", networkOf(query.text("networkmode") ?? "")],
    [
      "add-hosts",
      query
        .texts("extrahosts")
        .map((host) => host.replace(":", "="))
        .join(","),
    ],
    ["cache-from", readCacheFrom(request).join(",")],
    ["shm-size", query.text("shmsize")],
    ["cgroup-parent", query.text("cgroupparent")],
  ] as const;
  return Object.fromEntries([
    ...texts.flatMap(([name, value]) =>
      value === undefined || value === "" ? [] : [[name, value] as const],
    ),
    ...(query.flag("nocache") ? [["no-cache", ""] as const] : []),
    ...(query.flag("pull") ? [["image-resolve-mode", "pull"] as const] : []),
    ...prefixed("build-arg", readMap(request, "buildargs")),
    ...prefixed("label", readMap(request, "labels")),
  ]);
}

/** `outputs`, a list of `{"Type", "Attrs"}`; without one the result becomes an image. */
export function readOutputs(
  request: ApiRequest,
): readonly { readonly type: string; readonly attributes: Record<string, string> }[] {
  const name = request.query
    .texts("t")
    .filter((text) => text !== "")
    .join(",");
  const image = { type: "moby", attributes: { ...(name !== "" && { name }) } };
  const text = request.query.text("outputs") ?? "";
  if (text === "" || text === "null") return [image];
  const outputs = outputsCodec.decode(parseQueryJson("outputs", text), "outputs");
  if (outputs.length === 0) return [image];
  return outputs.map(({ type, attributes }) =>
    ["moby", "image"].includes(type)
      ? { ...image, attributes: { ...image.attributes, ...attributes } }
      : { type, attributes },
  );
}

interface Entry {
  readonly type: string;
  readonly attributes: Readonly<Record<string, string>>;
}

interface PinFields {
  readonly digest?: string;
  readonly id?: string;
}

const pinFields = record<PinFields>({
  digest: ["digest", optional(string)],
  id: ["id", optional(string)],
});

function imagePin({ digest, id = "" }: PinFields): ImagePin {
  return digest === undefined ? { id } : { digest };
}

const imagePinsCodec = adapt(
  record<PinFields & { readonly platforms?: Readonly<Record<string, ImagePin>> }>({
    digest: ["digest", optional(string)],
    id: ["id", optional(string)],
    platforms: ["platforms", optional(map(adapt(pinFields, imagePin, (pin) => pin)))],
  }),
  ({ platforms, ...fields }): ImagePins => (platforms === undefined ? imagePin(fields) : { platforms }),
  (pins) => pins,
);

const pinsCodec = record<SourcePins>({
  images: ["images", map(imagePinsCodec)],
  files: ["files", map(string)],
  repositories: ["repositories", map(string)],
});

const entryCodec = record<Entry>({ type: ["Type", string], attributes: ["Attrs", map(string)] });
const outputsCodec = list(entryCodec);

/** Body of `POST /build/local`: what `SolveRequest` of BuildKit's protocol says, and what the client gives. */
export const givenBuildCodec = record<{
  readonly session: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly exporters: readonly Entry[];
  readonly cacheExports: readonly Entry[];
  readonly entitlements: readonly string[];
  readonly source?: { readonly filename: string; readonly text: string };
  /** Seconds since 1970. */
  readonly committedAt?: number;
  /** What may be used that is not with the client. */
  readonly pins?: SourcePins;
  readonly folders: Readonly<Record<string, GivenFolder>>;
}>({
  session: ["session", string],
  attributes: ["attributes", map(string)],
  exporters: ["exporters", outputsCodec],
  cacheExports: ["cacheExports", outputsCodec],
  entitlements: ["entitlements", list(string)],
  source: ["source", optional(record({ filename: ["filename", string], text: ["text", string] }))],
  committedAt: ["committedAt", optional(integer)],
  pins: ["pins", optional(pinsCodec)],
  folders: [
    "folders",
    map(
      record<GivenFolder>({
        path: ["path", optional(string)],
        device: ["device", optional(string)],
        inode: ["inode", optional(string)],
        ignore: ["ignore", optional(list(string))],
        upload: ["upload", optional(string)],
      }),
    ),
  ],
});

function parseQueryJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw httpFaults.QUERY_JSON(name).because(error);
  }
}
