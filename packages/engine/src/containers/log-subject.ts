import { goValueFromJson, openTemplate } from "@hawser/base/template";
import type { LogSubject } from "@hawser/runtime";
import { commandOf } from "./container.ts";
import type { ContainerRecord } from "./container-record.ts";

/**
 * What a container's log says of the container.
 * @throws {Fault} `invalid-argument` in Go's words: its tag is no template.
 */
export function logSubjectOf(record: ContainerRecord, hostname: string): LogSubject {
  return {
    containerId: record.id,
    containerName: record.name,
    imageId: record.imageId,
    imageName: record.config.image,
    command: commandOf(record.config).join(" "),
    created: new Date(record.createdAtMs).toISOString().replace(/\.?0*Z$/, "Z"),
    tag: formatLogTag(record, record.hostConfig.log.options["tag"] || "{{.ID}}"),
    attributes: logAttributesOf(record),
    hostname,
  };
}

type Logged = Pick<ContainerRecord, "id" | "name" | "createdAtMs" | "imageId" | "config" | "hostConfig">;

/**
 * A tag's template filled in: `{{.Name}}/{{.ID}}`.
 * @throws {Fault} `invalid-argument` in Go's words
 */
export function formatLogTag(record: Logged, template: string): string {
  const { config, hostConfig, id, imageId } = record;
  const [program = "", ...args] = commandOf(config);
  const info = goValueFromJson(
    {
      Config: hostConfig.log.options,
      ContainerID: id,
      ContainerName: `/${record.name}`,
      ContainerEntrypoint: program,
      ContainerArgs: args,
      ContainerImageID: imageId,
      ContainerImageName: config.image,
      ContainerEnv: config.env,
      ContainerLabels: config.labels,
      DaemonName: "docker",
      ID: id.slice(0, 12),
      FullID: id,
      Name: record.name,
      ImageID: imageId.slice(0, 12),
      ImageFullID: imageId,
      ImageName: config.image,
      Command: [program, ...args].join(" "),
    },
    { typeName: "*logger.Info" },
  );
  return openTemplate(template, { name: "log-tag" }).run(info);
}

/** Labels and variables of the container that its log options name. */
export function logAttributesOf({
  config,
  hostConfig,
}: Pick<ContainerRecord, "config" | "hostConfig">): Record<string, string> {
  const { options } = hostConfig.log;
  const variables = Object.fromEntries(
    config.env.flatMap((entry) => {
      const at = entry.indexOf("=");
      return at < 0 ? [] : [[entry.slice(0, at), entry.slice(at + 1)]];
    }),
  );
  return {
    ...chosen(config.labels, options["labels"], options["labels-regex"]),
    ...chosen(variables, options["env"], options["env-regex"]),
  };
}

function chosen(all: Readonly<Record<string, string>>, names = "", pattern = ""): Record<string, string> {
  const wanted = new Set(names.split(",").filter((name) => name !== ""));
  const expression = pattern === "" ? undefined : new RegExp(pattern, "u");
  return Object.fromEntries(
    Object.entries(all).filter(([name]) => wanted.has(name) || expression?.test(name) === true),
  );
}
