import { arch, platform as hostSystem } from "node:process";
import { readTar, rootedTarPath, type TarSource, writeTar } from "@hawser/base";
import { type ExporterRequest, type SentFile, sendBytes, sendFolder } from "@hawser/build/grpc";
import { mediaTypes, type Platform, parseReference, platformOfNode, platformsMatch } from "@hawser/oci";
import { type Image, readFiles } from "@hawser/store";
import { namesOf, readExporter } from "../export/read-exporter.ts";
import { buildFaults } from "../faults.ts";
import type { BuiltImage } from "../image-build.ts";
import { type ExportContext, filesOf, responseOf, rootOf } from "./export-result.ts";
import { type ArchivedIndex, indexArchive } from "./index-archive.ts";

/** A result for one machine of several. */
export interface BuiltPlatform {
  /** What the front end calls it: `linux/arm64`. */
  readonly name: string;
  readonly platform: Platform;
  readonly built: BuiltImage;
}

/**
 * Bring results for several machines to where the client wants them: as an index of images, or each below a folder of its own. The
 * images of this engine have no indexes: there the names are given to the image for this machine, and the others have none.
 *
 * @returns what is told of it, by BuildKit's names
 */
export async function exportPlatforms(
  all: readonly BuiltPlatform[],
  exporter: ExporterRequest,
  context: ExportContext,
): Promise<Readonly<Record<string, string>>> {
  refuseForms(exporter);
  switch (exporter.type) {
    case "moby":
    case "image":
      return await exportImages(all, exporter, context);
    case "oci":
      return await exportLayout(all, exporter, context);
    case "docker":
      throw buildFaults.PLATFORMS_ONE_IMAGE();
    case "tar":
      await context.progress.step("sending tarball", () => sendTrees(all, exporter, context));
      return {};
    case "local":
      await context.progress.step("copying files", () => sendFolders(all, exporter, context));
      return {};
    default:
      throw buildFaults.EXPORTER_UNKNOWN(exporter.type);
  }
}

/** What an image for one machine can be, and an index cannot. @throws {Fault} `not-implemented` */
function refuseForms(request: ExporterRequest): void {
  const exporter = readExporter(request);
  if (exporter.kind === "tree") return;
  const isPlain =
    exporter.form.isDefault &&
    (exporter.kind === "archive" ? exporter.isFile : exporter.stores && exporter.push !== "by-digest");
  if (!isPlain || request.hasInlineCache === true) throw buildFaults.PLATFORMS_PLAIN(request.type);
}

async function exportImages(
  all: readonly BuiltPlatform[],
  { attributes }: ExporterRequest,
  context: ExportContext,
): Promise<Readonly<Record<string, string>>> {
  const { progress, registry, signal, access } = context;
  const names = namesOf(attributes);
  const [first] = all;
  if (first === undefined) throw buildFaults.RESULT_EMPTY();
  return await progress.step("exporting to image", async (step) => {
    const host = platformOfNode({ platform: hostSystem, arch });
    const own = all.find(({ platform }) => platformsMatch(host, platform)) ?? first;
    const images: { readonly image: Image["id"]; readonly platform: Platform }[] = [];
    for (const one of all) {
      const references = one === own ? names : [];
      const image = await context.collaborators.images.create(one.built.config, { references });
      images.push({ image: image.id, platform: one.platform });
      step.status(`writing image ${image.id} for ${one.name}`, { current: 0, isDone: true });
    }
    for (const name of names) step.status(`naming ${own.name} to ${name}`, { current: 0, isDone: true });
    const told = responseOf(own.built.config, names);
    if (attributes["push"] !== "true") return told;
    let index: ArchivedIndex | undefined;
    for (const name of names) {
      const { domain } = parseReference(name);
      index = await registry.pushIndex(name, images, { access: await access(domain), signal });
      step.status(`pushing ${name}`, { current: 0, isDone: true });
    }
    return { ...told, ...(index && responseOfIndex(index)) };
  });
}

async function exportLayout(
  all: readonly BuiltPlatform[],
  { id, attributes }: ExporterRequest,
  { progress, collaborators, images, signal, session }: ExportContext,
): Promise<Readonly<Record<string, string>>> {
  if (session === undefined) throw buildFaults.SESSION_NEEDED();
  const names = namesOf(attributes);
  return await progress.step("exporting to oci image format", async () => {
    const ids: Image["id"][] = [];
    for (const { built } of all)
      ids.push((await collaborators.images.create(built.config, { references: [] })).id);
    let index: ArchivedIndex | undefined;
    const archive = indexArchive(images.save(ids).archive, {
      platforms: all.map(({ platform }) => platform),
      names,
      onIndex: (made) => {
        index = made;
      },
    });
    await sendBytes(session, archive, { exporterId: id, metadata: {}, signal });
    return {
      ...(index && responseOfIndex(index)),
      ...(names.length > 0 && { "image.name": names.join(",") }),
    };
  });
}

function responseOfIndex({ digest, sizeBytes: size }: ArchivedIndex) {
  const descriptor = { mediaType: mediaTypes.ociIndex, digest, size };
  return {
    "containerimage.digest": digest,
    "containerimage.descriptor": Buffer.from(JSON.stringify(descriptor)).toString("base64"),
  };
}

async function sendTrees(
  all: readonly BuiltPlatform[],
  { id }: ExporterRequest,
  context: ExportContext,
): Promise<void> {
  const { session, signal } = context;
  if (session === undefined) throw buildFaults.SESSION_NEEDED();
  await sendBytes(session, writeTar(treesOf(all, context)), { exporterId: id, metadata: {}, signal });
}

async function* treesOf(
  all: readonly BuiltPlatform[],
  context: ExportContext,
): AsyncGenerator<TarSource, void, undefined> {
  for (const { name, built } of all) {
    const folder = folderOf(name);
    yield { path: `${folder}/`, type: "directory", mode: 0o755 };
    const archive = readFiles(rootOf(built, context), { kind: "export" }, { signal: context.signal });
    for await (const { entry, data } of readTar(archive)) {
      const below = (path: Buffer) => Buffer.concat([Buffer.from(`${folder}/`), path]);
      const { sparse: _sparse, sizeBytes, ...kept } = entry;
      if (rootedTarPath(entry.path) === "") continue;
      yield {
        ...kept,
        path: below(Buffer.from(rootedTarPath(entry.path), "latin1")),
        ...(entry.type === "hardlink" && {
          linkPath: below(Buffer.from(rootedTarPath(entry.linkPath), "latin1")),
        }),
        ...(entry.type === "file" && { content: { sizeBytes, open: () => data } }),
      };
    }
  }
}

async function sendFolders(
  all: readonly BuiltPlatform[],
  { id }: ExporterRequest,
  context: ExportContext,
): Promise<void> {
  const { session } = context;
  if (session === undefined) throw buildFaults.SESSION_NEEDED();
  await sendFolder(session, foldersOf(all, context), { exporterId: id, signal: context.signal });
}

async function* foldersOf(
  all: readonly BuiltPlatform[],
  context: ExportContext,
): AsyncGenerator<SentFile, void, undefined> {
  const sorted = all
    .map((one) => ({ ...one, folder: folderOf(one.name) }))
    .toSorted((a, b) => (a.folder < b.folder ? -1 : 1));
  for (const { folder, built } of sorted) {
    yield {
      path: folder,
      type: "directory",
      mode: 0o755,
      uid: 0,
      gid: 0,
      sizeBytes: 0,
      mtimeNs: BigInt((built.config.created?.getTime() ?? 0) * 1_000_000),
      linkPath: "",
      async *content() {},
    };
    for await (const file of filesOf(rootOf(built, context), { folder: "", signal: context.signal })) {
      const linkPath = file.type === "hardlink" ? `${folder}/${file.linkPath}` : file.linkPath;
      yield { ...file, path: `${folder}/${file.path}`, linkPath };
    }
  }
}

/** As BuildKit calls them: `linux_arm64`. */
function folderOf(name: string): string {
  return name.replaceAll("/", "_");
}
