import type { ImageConfig, ImageHistoryItem, ImageInspect, ImageSummary } from "@hawser/api";
import type { ExecutionConfig } from "@hawser/oci";
import type { Image } from "@hawser/store";
import type { ApiRequest } from "../request.ts";
import {
  boolean,
  type Codec,
  commandLine,
  list,
  map,
  nameSet,
  omitEmpty,
  optional,
  record,
  string,
} from "./codec.ts";
import { healthcheckCodec } from "./container-config.ts";

/** The part of `Config` that images have, each key only where it says something (API 1.50). */
const executionCodec: Codec<ExecutionConfig> = record<ExecutionConfig>({
  user: ["User", omitEmpty(string)],
  exposedPorts: ["ExposedPorts", nameSet(undefined)],
  env: ["Env", omitEmpty(list(string))],
  cmd: ["Cmd", optional(commandLine)],
  healthcheck: ["Healthcheck", optional(healthcheckCodec)],
  argsEscaped: ["ArgsEscaped", optional(omitEmpty(boolean))],
  volumes: ["Volumes", nameSet(undefined)],
  workingDir: ["WorkingDir", omitEmpty(string)],
  entrypoint: ["Entrypoint", optional(commandLine)],
  onBuild: ["OnBuild", optional(omitEmpty(list(string)))],
  labels: ["Labels", omitEmpty(map(string))],
  stopSignal: ["StopSignal", omitEmpty(string)],
  shell: ["Shell", optional(omitEmpty(commandLine))],
});

/** What `Config` of an image says of what it does not have. */
const emptyConfig = {
  User: "",
  Env: null,
  Cmd: null,
  Volumes: null,
  WorkingDir: "",
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

/** What it had before API 1.50 beside that: a container's fields, at rest. */
const legacyConfig = {
  ...emptyConfig,
  Hostname: "",
  Domainname: "",
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Image: "",
};

/** `GET /images/{name}/json`. */
export function formatImageInspect(image: Image, request: ApiRequest): ImageInspect {
  const { config, sizeBytes } = image;
  const own = executionCodec.encode(config.execution) as ImageConfig;
  return {
    Id: image.id,
    RepoTags: image.names,
    RepoDigests: image.repoDigests,
    Parent: "",
    Comment: config.comment ?? config.history.at(-1)?.comment ?? "",
    ...(config.created && { Created: formatDate(config.created) }),
    DockerVersion: config.dockerVersion ?? "",
    Author: config.author ?? "",
    Config: { ...(request.atLeast("1.50") ? emptyConfig : legacyConfig), ...own },
    ...(!request.atLeast("1.45") && { ContainerConfig: legacyConfig }),
    Architecture: config.architecture,
    ...(config.variant !== undefined && { Variant: config.variant }),
    Os: config.os,
    Size: sizeBytes,
    ...(!request.atLeast("1.44") && { VirtualSize: sizeBytes }),
    GraphDriver: { Name: "overlay2", Data: null },
    RootFS: { Type: "layers", Layers: image.diffIds },
    Metadata: { LastTagTime: image.lastTaggedAt ? formatDate(image.lastTaggedAt) : "0001-01-01T00:00:00Z" },
  };
}

/** One of `GET /images/json`. */
export function formatImageSummary(
  image: Image,
  options: {
    readonly request: ApiRequest;
    /** Bytes that other images also have; absent: not asked for. */
    readonly sharedBytes?: number;
    readonly useCount: number;
  },
): ImageSummary {
  const { request } = options;
  const { labels } = image.config.execution;
  const isNameless = image.names.length === 0 && !request.atLeast("1.43");
  return {
    Id: image.id,
    ParentId: "",
    RepoTags: isNameless ? ["<none>:<none>"] : image.names,
    RepoDigests: formatDigests(image, request),
    Created: Math.floor(image.createdAt.getTime() / 1000),
    Size: image.sizeBytes,
    SharedSize: options.sharedBytes ?? -1,
    ...(!request.atLeast("1.44") && { VirtualSize: image.sizeBytes }),
    Labels: Object.keys(labels).length === 0 ? null : labels,
    Containers: request.atLeast("1.51") ? options.useCount : -1,
  };
}

/** `GET /images/{name}/history`: newest first; only the image itself has an id. */
export function formatImageHistory(image: Image): readonly ImageHistoryItem[] {
  const layers = image.layers.values();
  const steps = image.config.history.map((entry) => {
    const sizeBytes = entry.emptyLayer ? 0 : (layers.next().value?.sizeBytes ?? 0);
    return { ...entry, sizeBytes };
  });
  return steps.toReversed().map((step, index) => ({
    Id: index === 0 ? image.id : "<missing>",
    Created: Math.floor((step.created?.getTime() ?? 0) / 1000),
    CreatedBy: step.createdBy,
    Tags: index === 0 && image.names.length > 0 ? image.names : null,
    Size: step.sizeBytes,
    Comment: step.comment,
  }));
}

function formatDate(date: Date): string {
  return date.toISOString().replace(/\.?0*Z$/, "Z");
}

/** Before API 1.43 no digests are null, and an image without any name has a placeholder for one. */
function formatDigests({ names, repoDigests }: Image, request: ApiRequest): readonly string[] | null {
  if (repoDigests.length > 0 || request.atLeast("1.43")) return repoDigests;
  return names.length === 0 ? ["<none>@<none>"] : null;
}
