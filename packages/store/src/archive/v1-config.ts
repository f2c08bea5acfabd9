import { type Digest, DocumentReader, maxConfigBytes, parseForeignJson } from "@hawser/oci";
import {
  type Field,
  fieldsOf,
  filledText,
  formatList,
  formatMap,
  formatObject,
  formatSet,
  formatText,
  inOrder,
} from "./go-json.ts";

/** The `json` of an image, before it is told which layers it has. */
export interface V1Config {
  readonly id: string;
  /** Id of the image below. */
  readonly parent?: string;
  /** What an image keeps of it, each as JSON. */
  readonly fields: ReadonlyMap<string, string>;
  /** Its entry of the history, as JSON. */
  readonly history: string;
}

/**
 * The configuration of an image of Docker before 1.10. Docker Image Specification v1.0, "Image JSON Description". Of what Docker before
 * 1.8.3 wrote only the fields that are known are left, and each that a container has is there; later ones keep all.
 *
 * @throws {Fault} `invalid-argument`
 */
export function parseV1Config(id: string, json: Buffer): V1Config {
  const what = `${id}/json`.slice(0, 300);
  const document = parseForeignJson(json, { what, maxBytes: maxConfigBytes });
  const reader = new DocumentReader(document, what, { foldsNames: true });
  const parent = reader.string("parent") || undefined;
  const fields = isBefore(reader.string("docker_version") ?? "", [1, 8, 3])
    ? new Map(knownFields(reader))
    : fieldsOf(json.toString());
  for (const name of ["id", "parent", "Size", "parent_id", "layer_id", "throwaway"]) fields.delete(name);
  return {
    id,
    ...(parent !== undefined && { parent }),
    fields,
    history: formatObject([
      ["created", formatTime(reader)],
      ["created_by", filledText((reader.object("container_config")?.words("Cmd") ?? []).join(" "))],
      ["author", filledText(reader.string("author"))],
      ["comment", filledText(reader.string("comment"))],
    ]),
  };
}

/**
 * The configuration that dockerd 28 makes of an image's, byte for byte: what it hashes to is the image's id there, too.
 *
 * @param chain the image and those below it, lowest first
 */
export function convertV1Config(
  chain: readonly V1Config[],
  { diffIds }: { readonly diffIds: readonly Digest[] },
): Buffer {
  const image = chain.at(-1);
  if (image === undefined) throw new Error("an image is at least itself");
  const fields = new Map(image.fields);
  fields.set("rootfs", JSON.stringify({ type: "layers", diff_ids: diffIds }));
  fields.set("history", `[${chain.map(({ history }) => history).join(",")}]`);
  return Buffer.from(formatObject(inOrder(fields)));
}

/** As moby compares versions: a part that is no number is 0. */
function isBefore(version: string, limit: readonly number[]): boolean {
  const parts = version.split(".").map((part) => (/^[+-]?\d+$/.test(part) ? Number(part) : 0));
  for (let at = 0; at < Math.max(parts.length, limit.length); at++) {
    const [is = 0, wanted = 0] = [parts[at], limit[at]];
    if (is !== wanted) return is < wanted;
  }
  return false;
}

/** moby's `image.V1Image`, but for what is dropped anyway. */
function knownFields(reader: DocumentReader): (readonly [string, string])[] {
  const config = reader.object("config");
  const fields: readonly Field[] = [
    ["comment", filledText(reader.string("comment"))],
    ["created", formatTime(reader) ?? "null"],
    ["container", filledText(reader.string("container"))],
    ["container_config", formatContainerConfig(reader.object("container_config"))],
    ["docker_version", filledText(reader.string("docker_version"))],
    ["author", filledText(reader.string("author"))],
    ["config", config && formatContainerConfig(config)],
    ["architecture", filledText(reader.string("architecture"))],
    ["variant", filledText(reader.string("variant"))],
    ["os", filledText(reader.string("os"))],
  ];
  return fields.flatMap(([name, json]) => (json === undefined ? [] : [[name, json] as const]));
}

/** moby's `container.Config` in the order of its fields. */
function formatContainerConfig(reader: DocumentReader | undefined): string {
  const text = (name: string): Field => [name, formatText(reader?.string(name) ?? "")];
  const filled = (name: string): Field => [name, filledText(reader?.string(name))];
  const flag = (name: string): Field => [name, String(reader?.boolean(name) ?? false)];
  const set = (name: string): Field => [name, reader?.boolean(name) === true ? "true" : undefined];
  const healthcheck = reader?.object("Healthcheck");
  const labels = reader?.stringMap("Labels");
  const shell = reader?.words("Shell") ?? [];
  const ports = reader?.keys("ExposedPorts") ?? [];
  return formatObject([
    text("Hostname"),
    text("Domainname"),
    text("User"),
    flag("AttachStdin"),
    flag("AttachStdout"),
    flag("AttachStderr"),
    ["ExposedPorts", ports.length === 0 ? undefined : formatSet(ports)],
    flag("Tty"),
    flag("OpenStdin"),
    flag("StdinOnce"),
    ["Env", formatList(reader?.strings("Env"))],
    ["Cmd", formatList(reader?.words("Cmd"))],
    ["Healthcheck", healthcheck && formatHealthcheck(healthcheck)],
    set("ArgsEscaped"),
    text("Image"),
    ["Volumes", formatSet(reader?.keys("Volumes"))],
    text("WorkingDir"),
    ["Entrypoint", formatList(reader?.words("Entrypoint"))],
    set("NetworkDisabled"),
    filled("MacAddress"),
    ["OnBuild", formatList(reader?.strings("OnBuild"))],
    ["Labels", labels ? formatMap(labels) : "null"],
    filled("StopSignal"),
    ["StopTimeout", reader?.integer("StopTimeout")?.toString()],
    ["Shell", shell.length === 0 ? undefined : formatList(shell)],
  ]);
}

function formatHealthcheck(reader: DocumentReader): string {
  const test = reader.strings("Test") ?? [];
  const number = (name: string): Field => [name, (reader.integer(name) || undefined)?.toString()];
  return formatObject([
    ["Test", test.length === 0 ? undefined : formatList(test)],
    ...["Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"].map(number),
  ]);
}

/** RFC 3339, as Go writes again what it has read: no zeros at the end of the fraction, nanoseconds at most. */
function formatTime(reader: DocumentReader): string | undefined {
  const text = reader.string("created");
  if (text === undefined) return undefined;
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null || Number.isNaN(Date.parse(text))) throw reader.fail('"created" is not a date');
  const [, seconds = "", digits = "", zone = ""] = match;
  const fraction = digits.slice(0, 9).replace(/0+$/, "");
  return `"${seconds}${fraction && `.${fraction}`}${/^[+-]00:00$/.test(zone) ? "Z" : zone}"`;
}
