import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { writeArchive } from "../commands/write-archive.ts";
import { unpackFiles } from "../copy/unpack-files.ts";
import { cliFaults } from "../faults.ts";
import { parseCsvFields, splitPair } from "../options/csv-fields.ts";
import { valueError } from "../options/value-error.ts";
import { type Session, warnLine } from "../session.ts";

/** Where a result is to be brought. */
export interface BuildOutput {
  /** As the engine knows it. */
  readonly type: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** What the client does with the archive that it gets; absent: it gets none. */
  readonly place?: { readonly kind: "folder" | "file"; readonly path: string };
}

/** Exporters whose result is an image with names. */
const named = ["moby", "image", "registry", "docker", "oci"];

/**
 * `--output`, as buildx has it: `type=local,dest=out`, `out` for the same, `-` for a tar archive on standard output.
 *
 * @param names of the image
 * @throws {Fault} `invalid-argument`
 */
export function parseOutput(text: string, { names }: { readonly names: readonly string[] }): BuildOutput {
  const fields = parseCsvFields(text);
  const [only = ""] = fields;
  if (fields.length === 1 && !only.includes("=")) {
    return only === "-"
      ? { type: "tar", attributes: {}, place: { kind: "file", path: "" } }
      : { type: "tar", attributes: {}, place: { kind: "folder", path: only } };
  }
  const given = new Map<string, string>();
  for (const field of fields) {
    const [name, value] = splitPair(field);
    if (value === undefined) throw valueError(`invalid value ${field}`);
    given.set(name.trim().toLowerCase(), value);
  }
  const type = given.get("type") ?? "";
  const dest = given.get("dest") ?? given.get("destination");
  for (const own of ["type", "dest", "destination"]) given.delete(own);
  if (type === "") throw valueError("type is required for output");
  if (named.includes(type) && names.length > 0 && !given.has("name")) given.set("name", names.join(","));
  const attributes = Object.fromEntries(given);
  switch (type) {
    case "local":
      if (dest === undefined) throw valueError("dest is required for local output");
      // The engine packs and the user unpacks, with his own rights.
      return { type: "tar", attributes, place: { kind: "folder", path: dest } };
    case "tar":
    case "oci":
      if (type === "oci" && isFalse(given.get("tar"))) return layoutFolder(type, attributes, dest);
      return { type, attributes, place: { kind: "file", path: dest === "-" ? "" : (dest ?? "") } };
    case "docker":
      if (dest === undefined) return { type: "moby", attributes };
      if (isFalse(given.get("tar"))) return layoutFolder(type, attributes, dest);
      return { type, attributes, place: { kind: "file", path: dest === "-" ? "" : dest } };
    case "registry":
      return { type: "image", attributes: { ...attributes, push: "true" } };
    case "moby":
    case "image":
    case "cacheonly":
      return { type, attributes };
    default:
      throw valueError(`unknown exporter ${JSON.stringify(type)}`);
  }
}

/** `tar=false`: the client unpacks what comes. */
function layoutFolder(
  type: string,
  { tar: _, ...attributes }: Readonly<Record<string, string>>,
  dest: string | undefined,
): BuildOutput {
  if (dest === undefined || dest === "-") throw valueError("dest is required for an output with tar=false");
  return { type, attributes, place: { kind: "folder", path: dest } };
}

function isFalse(text: string | undefined): boolean {
  return text !== undefined && ["0", "f", "F", "false", "False", "FALSE"].includes(text);
}

/** An archive on a terminal helps nobody. @throws {Fault} `conflict` */
export function checkOutputs(session: Session, outputs: readonly BuildOutput[]): void {
  const toStdout = outputs.filter(({ place }) => place?.kind === "file" && place.path === "");
  if (toStdout.length > 1) throw valueError("only one output can be written to standard output");
  if (toStdout.length > 0 && session.stdout.isTTY === true) {
    throw cliFaults.OUTPUT_IS_TERMINAL("dest file is required for an archive, the output is a terminal");
  }
}

/**
 * Take an archive from the engine to its place. It holds what a build has made, so names in it are hostile.
 *
 * @throws {Fault} as `unpackFiles`, `writeArchive`
 */
export async function receiveOutput(
  session: Session,
  { place, body }: { readonly place: BuildOutput["place"]; readonly body: AsyncIterable<Uint8Array> },
): Promise<void> {
  if (place === undefined) throw cliFaults.SESSION_CALL("an output that was not asked for");
  if (place.kind === "file") {
    await writeArchive(session, { body, output: place.path });
    return;
  }
  const folder = resolve(session.workingDir, place.path);
  await mkdir(folder, { recursive: true });
  const skipped = await unpackFiles(body, { folder, sourcePath: "/.", keepOwners: false });
  for (const name of skipped) await warnLine(session, `left out ${JSON.stringify(name)}: it is a device`);
}
