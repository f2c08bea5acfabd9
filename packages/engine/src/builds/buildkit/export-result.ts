import { createHash } from "node:crypto";
import { readTar, rootedTarPath } from "@hawser/base";
import {
  type BuildContextOfClient,
  type ExporterRequest,
  type SentFile,
  sendBytes,
  sendFolder,
} from "@hawser/build/grpc";
import { formatImageConfig, formatReference, mediaTypes, parseReference, withDefaultTag } from "@hawser/oci";
import type { RegistryAccess } from "@hawser/registry/client";
import { type FilesRoot, type ImageStore, openArchive, readFiles } from "@hawser/store";
import type { Collaborators } from "../../containers/collaborators.ts";
import type { RemoteImages } from "../../images/remote-images.ts";
import { buildFaults } from "../faults.ts";
import type { BuiltImage } from "../image-build.ts";

/** Where results are brought. */
export interface ExportPorts {
  readonly collaborators: Collaborators;
  readonly images: ImageStore;
  readonly registry: Pick<RemoteImages, "push" | "pushIndex">;
}

export type ExportContext = ExportPorts &
  BuildContextOfClient & { readonly access: (domain: string) => Promise<RegistryAccess> };

/** Bring a result to where the client wants it. @returns what is told of it, by BuildKit's names */
export async function exportResult(
  built: BuiltImage,
  exporter: ExporterRequest,
  context: ExportContext,
): Promise<Readonly<Record<string, string>>> {
  switch (exporter.type) {
    case "moby":
    case "image":
      return await exportImage(built, exporter, context);
    case "docker":
    case "oci":
      return await exportArchive(built, exporter, context);
    case "tar":
      await context.progress.step("sending tarball", () => sendTree(built, exporter, context));
      return {};
    case "local":
      await context.progress.step("copying files", () => sendFiles(built, exporter, context));
      return {};
    default:
      throw buildFaults.EXPORTER_UNKNOWN(exporter.type);
  }
}

async function exportImage(
  { config }: BuiltImage,
  { attributes }: ExporterRequest,
  context: ExportContext,
): Promise<Readonly<Record<string, string>>> {
  const { progress, collaborators, registry, signal, access } = context;
  const names = namesOf(attributes);
  return await progress.step("exporting to image", async (step) => {
    const image = await collaborators.images.create(config, { references: names });
    step.status(`writing image ${image.id}`, { current: 0, isDone: true });
    for (const name of names) step.status(`naming to ${name}`, { current: 0, isDone: true });
    if (attributes["push"] === "true") {
      for (const name of names) {
        const { domain } = parseReference(name);
        const pushed = registry.push(name, { tag: "", access: await access(domain), signal });
        for await (const _ of pushed); // one that ends without a fault is there
        step.status(`pushing ${name}`, { current: 0, isDone: true });
      }
    }
    return responseOf(config, names);
  });
}

export function responseOf(config: BuiltImage["config"], names: readonly string[]): Record<string, string> {
  const bytes = formatImageConfig(config);
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const descriptor = { mediaType: mediaTypes.ociConfig, digest, size: bytes.length };
  return {
    "containerimage.config.digest": digest,
    "containerimage.digest": digest,
    "containerimage.descriptor": Buffer.from(JSON.stringify(descriptor)).toString("base64"),
    ...(names.length > 0 && { "image.name": names.join(",") }),
  };
}

/** `--output type=docker,dest=…`: an image as `save` writes it. */
async function exportArchive(
  { config }: BuiltImage,
  { id, attributes }: ExporterRequest,
  { progress, collaborators, images, signal, session }: ExportContext,
): Promise<Readonly<Record<string, string>>> {
  if (session === undefined) throw buildFaults.SESSION_NEEDED();
  const names = namesOf(attributes);
  return await progress.step("exporting to docker image format", async () => {
    const image = await collaborators.images.create(config, { references: names });
    const { archive } = images.save(names.length > 0 ? names : [image.id]);
    await sendBytes(session, archive, { exporterId: id, metadata: {}, signal });
    return responseOf(config, names);
  });
}

export function namesOf({ name = "" }: Readonly<Record<string, string>>): readonly string[] {
  return name
    .split(",")
    .filter((text) => text !== "")
    .map((text) => formatReference(withDefaultTag(parseReference(text))));
}

export function rootOf({ state }: BuiltImage, { collaborators }: ExportContext): FilesRoot {
  if (state.kind !== "files") throw buildFaults.RESULT_EMPTY();
  return { kind: "layers", lower: collaborators.snapshots.lowerFolders(state.chainId) };
}

async function sendTree(built: BuiltImage, { id }: ExporterRequest, context: ExportContext): Promise<void> {
  const { session, signal } = context;
  if (session === undefined) throw buildFaults.SESSION_NEEDED();
  const archive = readFiles(rootOf(built, context), { kind: "export" }, { signal });
  await sendBytes(session, archive, { exporterId: id, metadata: {}, signal });
}

async function sendFiles(built: BuiltImage, { id }: ExporterRequest, context: ExportContext): Promise<void> {
  const { session, signal } = context;
  if (session === undefined) throw buildFaults.SESSION_NEEDED();
  const root = rootOf(built, context);
  await sendFolder(session, filesOf(root, signal), { exporterId: id, signal });
}

/** All files of a result; their content is read when it is asked for. */
export async function* filesOf(
  root: FilesRoot,
  signal: AbortSignal,
): AsyncGenerator<SentFile, void, undefined> {
  const found: SentFile[] = [];
  for await (const { entry } of readTar(readFiles(root, { kind: "export" }, { signal }))) {
    const path = Buffer.from(rootedTarPath(entry.path), "latin1").toString();
    if (path === "") continue;
    found.push({
      path,
      type: entry.type,
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      sizeBytes: entry.sizeBytes,
      mtimeNs: entry.mtimeNs,
      linkPath: entry.linkPath.toString(),
      content: () => contentOf(root, path, signal),
    });
  }
  yield* found.toSorted((a, b) => compareWalk(a.path, b.path));
}

async function* contentOf(
  root: FilesRoot,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using opened = await openArchive(root, `/${path}`, { signal });
  for await (const { data } of readTar(opened.archive)) {
    yield* data;
    return;
  }
}

/** The order of a walk: a folder before what is in it, names by their bytes. */
function compareWalk(a: string, b: string): number {
  const [left, right] = [a, b].map((path) => Buffer.from(path.replaceAll("/", "\0")));
  return left === undefined || right === undefined ? 0 : Buffer.compare(left, right);
}
