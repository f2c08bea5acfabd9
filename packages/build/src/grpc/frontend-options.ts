import { formatPlatform, type Platform, parsePlatform } from "@hawser/oci";
import { protocolFaults } from "./faults.ts";

/** What a Dockerfile is built with, as clients of BuildKit say it (the attributes of the front end `dockerfile.v0`). */
export interface DockerfileOptions {
  /** All that was said, by its own names. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly filename: string;
  readonly target?: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly network: "default" | "none" | "host";
  readonly platform?: Platform;
  /** The build is for several platforms, and this is one of them. */
  readonly isOneOfSeveral?: boolean;
  /** Stages whose kept results are not used; `all` of them. */
  readonly noCache: "all" | readonly string[];
  readonly pull: boolean;
  /** `name:address`. */
  readonly extraHosts: readonly string[];
  readonly shmSizeBytes?: number;
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly cgroupParent: string;
  /** By name: `local:x`, `docker-image://x`, `input:x`. */
  readonly contexts: Readonly<Record<string, string>>;
  /** Names under which the client serves its files. */
  readonly contextName: string;
  readonly dockerfileName: string;
  /** The client serves the Dockerfile, wherever the context is. */
  readonly isSourceApart: boolean;
  /** Where the files are, when not with the client. */
  readonly contextUrl?: string;
}

/** @throws {Fault} `invalid-argument` */
export function readDockerfileOptions(
  attributes: Readonly<Record<string, string>>,
  host: Platform,
): DockerfileOptions {
  const below = (prefix: string) =>
    Object.fromEntries(
      Object.entries(attributes).flatMap(([name, value]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
      ),
    );
  const { target, context, "shm-size": shmSize } = attributes;
  const [platform] = readPlatforms(attributes, host);
  return {
    attributes,
    filename: attributes["filename"] || "Dockerfile",
    ...(target !== undefined && target !== "" && { target }),
    buildArgs: below("build-arg:"),
    labels: below("label:"),
    network: networkOf(attributes["force-network-mode"] ?? ""),
    ...(platform !== undefined && { platform }),
    noCache: noCacheOf(attributes["no-cache"]),
    pull: attributes["image-resolve-mode"] === "pull",
    extraHosts: listOf(attributes["add-hosts"]).map((entry) => entry.replace("=", ":")),
    ...(shmSize !== undefined && shmSize !== "" && { shmSizeBytes: wholeNumber("shm-size", shmSize) }),
    ulimits: listOf(attributes["ulimit"]).map(readUlimit),
    cgroupParent: attributes["cgroup-parent"] ?? "",
    contexts: below("context:"),
    contextName: attributes["contextkey"] || "context",
    dockerfileName: attributes["dockerfilekey"] || "dockerfile",
    isSourceApart: Boolean(attributes["dockerfilekey"]),
    ...(context !== undefined && context !== "" && { contextUrl: context }),
  };
}

/** Of what machines images are wanted, each once, in order; none: of what suits this one. @throws {Fault} `invalid-argument` */
export function readPlatforms(
  { platform }: Readonly<Record<string, string>>,
  host: Platform,
): readonly Platform[] {
  const all = listOf(platform).map((text) => parsePlatform(text.trim(), host));
  if (all.length > maxPlatforms) throw protocolFaults.FRONTEND_FAILED(`more than ${maxPlatforms} platforms`);
  return [...new Map(all.map((one) => [formatPlatform(one), one])).values()];
}

/** Nobody has more; each is a build. */
const maxPlatforms = 50;

function listOf(text: string | undefined): readonly string[] {
  return (text ?? "").split(",").filter((part) => part !== "");
}

function noCacheOf(text: string | undefined): DockerfileOptions["noCache"] {
  if (text === undefined) return [];
  return text === "" ? "all" : listOf(text);
}

function networkOf(mode: string): DockerfileOptions["network"] {
  if (mode === "none" || mode === "host") return mode;
  if (mode === "" || mode === "sandbox" || mode === "default") return "default";
  throw protocolFaults.FRONTEND_FAILED(`unsupported network mode ${JSON.stringify(mode)}`);
}

/** `name=soft[:hard]` */
function readUlimit(text: string): DockerfileOptions["ulimits"][number] {
  const [, name = "", soft = "", hard = soft] = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(text) ?? [];
  if (name === "") throw protocolFaults.FRONTEND_FAILED(`invalid ulimit ${JSON.stringify(text)}`);
  return { name, soft: Number(soft), hard: Number(hard) };
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw protocolFaults.FRONTEND_FAILED(`invalid ${name}: ${JSON.stringify(text)}`);
  return Number(text);
}
