import type { Platform } from "@hawser/oci";
import type { Platform as DefinedPlatform, SourceOp } from "../grpc/generated/llb_pb.ts";
import { createVertex, type Vertex } from "../plan/vertex.ts";
import { invalid, llbFaults } from "./faults.ts";
import type { DefinitionPorts } from "./plan-definition.ts";

/** Of results of other builds: a source that only this builder understands. */
export const resultScheme = "hawser-result://";

export interface PlannedSource {
  readonly vertex: Vertex | undefined;
  /** No file of it is younger. */
  readonly epochMs: number;
}

/** @throws {Fault} `invalid-argument`, `not-implemented`; what looking for an image throws */
export async function planSource(
  { identifier, attrs }: SourceOp,
  platform: DefinedPlatform | undefined,
  ports: DefinitionPorts,
): Promise<PlannedSource> {
  const [, scheme = "", rest = ""] = /^([a-z0-9+-]+):\/\/(.*)$/s.exec(identifier) ?? [];
  if (rest === "") throw invalid(`source ${JSON.stringify(identifier.slice(0, 200))}`);
  switch (scheme) {
    case "oci-layout":
    case "docker-image": {
      if (attrs["image.layerlimit"] || attrs["oci.layerlimit"])
        throw llbFaults.DEFINITION_FOREIGN("a part of an image's layers");
      const wanted = readPlatform(platform);
      const image = await ports.resolveImage(imageOfSource({ identifier, attrs }) ?? rest, {
        ...(wanted && { platform: wanted }),
        pull: attrs["image.resolvemode"] === "pull",
      });
      const { reference, chainId, config } = image;
      const vertex = chainId === undefined ? undefined : createVertex({ kind: "image", reference, chainId });
      return { vertex, epochMs: config.created?.getTime() ?? 0 };
    }
    case "hawser-result": {
      const { chainId, epochMs } = await ports.resolveResult(rest);
      const op = { kind: "image", reference: rest, ...(chainId && { chainId }) } as const;
      return { vertex: chainId === undefined ? undefined : createVertex(op), epochMs };
    }
    case "local": {
      const list = (name: string) => {
        const texts = readList(attrs[name], name);
        return texts.length === 0 ? undefined : texts;
      };
      const include = list("local.includepattern");
      const exclude = list("local.excludepatterns");
      const follow = list("local.followpaths");
      return without({
        kind: "local",
        name: rest,
        ...(include && { include }),
        ...(exclude && { exclude }),
        ...(follow && { follow }),
      });
    }
    case "git": {
      const place = attrs["git.fullurl"] ?? "";
      const hash = rest.indexOf("#");
      const fragment = hash < 0 ? "" : rest.slice(hash);
      const address =
        place === "" ? `https://${hash < 0 ? rest : rest.slice(0, hash)}` : place.replace(/#.*$/s, "");
      const pinned = attrs["git.checksum"] ?? "";
      if (pinned !== "" && !/^[0-9a-f]{7,40}$/.test(pinned))
        throw invalid(`git checksum ${JSON.stringify(pinned)}`);
      const folder = /^#[^:]*:(.+)$/s.exec(fragment)?.[1];
      const reference =
        pinned === ""
          ? `${address}${fragment}`
          : `${address}#${pinned}${folder === undefined ? "" : `:${folder}`}`;
      return without({ kind: "git", reference, keepsGitDir: attrs["git.keepgitdir"] === "true" });
    }
    case "http":
    case "https": {
      const checksum = attrs["http.checksum"] ?? "";
      const name = attrs["http.filename"] ?? "";
      const number = (text: string | undefined, radix: 8 | 10) => {
        if (text === undefined || text === "") return undefined;
        const value = Number.parseInt(text.replace(/^0o/, ""), radix);
        if (!Number.isInteger(value) || value < 0)
          throw invalid(`number ${JSON.stringify(text)} of a source`);
        return value;
      };
      return without({
        kind: "http",
        url: identifier,
        ...(checksum !== "" && { checksum }),
        ...(name !== "" && { name }),
        mode: number(attrs["http.perm"], 8) ?? 0o600,
        uid: number(attrs["http.uid"], 10) ?? 0,
        gid: number(attrs["http.gid"], 10) ?? 0,
      });
    }
    default:
      throw llbFaults.DEFINITION_FOREIGN(`a source ${JSON.stringify(`${scheme}://`)}`);
  }
}

/**
 * What the image of a source is called by `resolveImage`; `undefined`: it is a source of another kind. A layout is the one that
 * the source's attribute names, not its own name.
 */
export function imageOfSource({
  identifier,
  attrs,
}: Pick<SourceOp, "identifier" | "attrs">): string | undefined {
  const [, scheme = "", rest = ""] = /^(docker-image|oci-layout):\/\/(.+)$/s.exec(identifier) ?? [];
  if (scheme === "docker-image") return rest;
  if (scheme === "") return undefined;
  const digest = rest.slice(rest.lastIndexOf("@") + 1);
  return `oci-layout://${attrs["oci.store"] ?? ""}@${digest}`;
}

function without(op: Parameters<typeof createVertex>[0]): PlannedSource {
  return { vertex: createVertex(op), epochMs: 0 };
}

export function readPlatform(platform: DefinedPlatform | undefined): Platform | undefined {
  if (platform === undefined || platform.architecture === "") return undefined;
  const { os, architecture, variant } = platform;
  return { os: os || "linux", architecture, ...(variant !== "" && { variant }) };
}

/** A list of texts as JSON, or one text. */
function readList(text: string | undefined, what: string): readonly string[] {
  if (text === undefined || text === "") return [];
  try {
    const value: unknown = JSON.parse(text);
    if (
      Array.isArray(value) &&
      value.every((entry) => typeof entry === "string") &&
      value.length <= maxListed
    ) {
      return value;
    }
  } catch {
    // Not JSON.
  }
  throw invalid(`${what} is no list of texts`);
}

const maxListed = 100_000;
