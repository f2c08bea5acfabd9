import { readTar, rootedTarPath, type TarSource, tarSourceOf, writeTar } from "@hawser/base";
import {
  type BuildContextOfClient,
  type ExporterRequest,
  type SentFile,
  sendBytes,
  sendFolder,
} from "@hawser/build/grpc";
import { formatImageConfig, type ImageConfig, mediaTypes, parseReference } from "@hawser/oci";
import type { RegistryAccess } from "@hawser/registry/client";
import { type ContentStore, type FilesRoot, type ImageStore, openArchive, readFiles } from "@hawser/store";
import type { Collaborators } from "../../containers/collaborators.ts";
import type { RemoteImages } from "../../images/remote-images.ts";
import { fileStatements } from "../attest/file-statements.ts";
import type { Attestation, Statement } from "../attest/statement.ts";
import { contentTarget } from "../cache/blob-place.ts";
import { blobOf, withImageBlobs } from "../export/image-blobs.ts";
import type { IndexedImage } from "../export/image-index.ts";
import { writeImageLayout } from "../export/oci-layout.ts";
import { type Exporter, type ImageForm, readExporter } from "../export/read-exporter.ts";
import { buildFaults } from "../faults.ts";
import type { BuiltImage } from "../image-build.ts";
import { bringIndexed, sendIndexed } from "./export-index.ts";
import { type DescribedManifest, pushWritten } from "./push-written.ts";

/** Where results are brought. */
export interface ExportPorts {
  readonly collaborators: Collaborators;
  readonly images: ImageStore;
  readonly content: ContentStore;
  readonly registry: Pick<RemoteImages, "push" | "pushIndex" | "openRepository">;
}

export type ExportContext = ExportPorts &
  BuildContextOfClient & { readonly access: (domain: string) => Promise<RegistryAccess> };

/** A result, and what is said of it. */
export interface AttestedImage extends BuiltImage {
  readonly attestations: readonly Attestation[];
  /**
   * The whole configuration: archives are made of those of its layers that have none, and are kept until the build is over.
   *
   * @throws {Fault} as `sealResult`
   */
  readonly seal: () => Promise<ImageConfig>;
}

/** Bring a result to where the client wants it. @returns what is told of it, by BuildKit's names */
export async function exportResult(
  built: AttestedImage,
  request: ExporterRequest,
  context: ExportContext,
): Promise<Readonly<Record<string, string>>> {
  const exporter = readExporter(request, { isIndex: false });
  switch (exporter.kind) {
    case "image":
      return await exportImage(built, exporter, context);
    case "archive":
      return await exportArchive(built, { ...exporter, id: request.id }, context);
    case "tree": {
      const tree = { ...exporter, id: request.id };
      const title = exporter.isFile ? "sending tarball" : "copying files";
      const send = exporter.isFile ? sendTree : sendFiles;
      await context.progress.step(title, () => send(built, tree, context));
      return {};
    }
  }
}

async function exportImage(
  built: AttestedImage,
  exporter: Exporter & { readonly kind: "image" },
  context: ExportContext,
): Promise<Readonly<Record<string, string>>> {
  const { progress, collaborators, registry, signal, access } = context;
  const { names, form, stores, push } = exporter;
  return await progress.step("exporting to image", async (step) => {
    const config = await built.seal();
    if (stores) {
      const image = await collaborators.images.create(config, { references: names });
      step.status(`writing image ${image.id}`, { current: 0, isDone: true });
      for (const name of names) step.status(`naming to ${name}`, { current: 0, isDone: true });
    }
    const isAttested = built.attestations.length > 0;
    if (push === "no" && !isAttested) return responseOf(config, names);
    let manifest: DescribedManifest | undefined;
    const onPush = (name: string, pushed: DescribedManifest) => {
      manifest = pushed;
      step.status(`pushing ${name}`, { current: 0, isDone: true });
    };
    const keptAs = stores ? blobOf(formatImageConfig(config)).digest : undefined;
    const options = { names, isTop: push === "by-name", keptAs, onPush };
    if (isAttested) {
      const index = { annotations: form.annotations.index, pushes: push !== "no" };
      await bringIndexed([indexed(built, { config, form })], { ...options, ...index }, context);
      return responseOf(config, names, manifest);
    }
    // As the client wants it written down, past what is kept here of the image.
    if (!stores || !form.isDefault || push === "by-digest") {
      await withImageBlobs(config, form, {
        ...context,
        use: (written) => pushWritten(written, options, context),
      });
      return responseOf(config, names, manifest);
    }
    for (const name of names) {
      const { domain } = parseReference(name);
      const pushed = registry.push(name, { tag: "", access: await access(domain), signal });
      for await (const event of pushed) {
        if (event.kind !== "pushed") continue; // one that ends without a fault is there
        const { digest, sizeBytes: size } = event;
        onPush(name, { mediaType: mediaTypes.dockerManifest, digest, size });
      }
    }
    return responseOf(config, names, manifest);
  });
}

function indexed(
  { attestations }: AttestedImage,
  { config, form }: { readonly config: ImageConfig; readonly form: ImageForm },
): IndexedImage {
  const { os, architecture, variant } = config;
  return { config, platform: { os, architecture, ...(variant && { variant }) }, form, attestations };
}

/** @param manifest absent: nobody has asked for one, so there is nothing to point to but the configuration, by its digest alone */
export function responseOf(
  config: ImageConfig,
  names: readonly string[],
  manifest?: DescribedManifest,
): Record<string, string> {
  const { digest } = blobOf(formatImageConfig(config));
  return {
    "containerimage.config.digest": digest,
    "containerimage.digest": manifest?.digest ?? digest,
    ...(manifest && {
      "containerimage.descriptor": Buffer.from(JSON.stringify(manifest)).toString("base64"),
    }),
    ...(names.length > 0 && { "image.name": names.join(",") }),
  };
}

/** `--output type=docker,dest=…`, `type=oci`: an image as an archive, or as a folder of blobs. */
async function exportArchive(
  built: AttestedImage,
  exporter: Exporter & { readonly kind: "archive"; readonly id: number },
  context: ExportContext,
): Promise<Readonly<Record<string, string>>> {
  const { progress, images, content, signal, session } = context;
  if (session === undefined) throw buildFaults.SESSION_NEEDED();
  const { names, form, isDocker, isFile, id } = exporter;
  const { descriptor } = form.annotations;
  if (built.attestations.length > 0) {
    const { index: annotations, indexDescriptor } = form.annotations;
    const options = { names, annotations, descriptor: indexDescriptor, isFile, id, session };
    return await progress.step("exporting to oci image format", async () => {
      const config = await built.seal();
      const index = await sendIndexed([indexed(built, { config, form })], options, context);
      return responseOf(config, names, index);
    });
  }
  return await progress.step(`exporting to ${isDocker ? "docker" : "oci"} image format`, async () => {
    const config = await built.seal();
    return await withImageBlobs(config, form, {
      images,
      content,
      signal,
      async use(image) {
        if (isFile) {
          const archive = writeImageLayout(image, { names, descriptor, isDocker });
          await sendBytes(session, archive, { exporterId: id, metadata: {}, signal });
        } else {
          const target = contentTarget(session.content("export"));
          for (const blob of image.blobs) await target.put(blob, signal);
          await target.putManifest(image.manifest, { isTop: true, signal });
        }
        const { mediaType, digest, bytes } = image.manifest;
        const told = {
          mediaType,
          digest,
          size: bytes.length,
          ...(Object.keys(descriptor).length > 0 && { annotations: descriptor }),
        };
        return responseOf(config, names, told);
      },
    });
  });
}

type TreeExporter = Exporter & { readonly kind: "tree"; readonly id: number };

/** The folder that all of a tree is below, with a slash; empty: it is the tree's own. */
function folderOf(
  { config: { os, architecture, variant } }: BuiltImage,
  { splits = false }: TreeExporter,
): string {
  return splits ? `${[os, architecture, ...(variant ? [variant] : [])].join("_")}/` : "";
}

export function rootOf({ state }: BuiltImage, { collaborators }: ExportContext): FilesRoot {
  if (state.kind !== "files") throw buildFaults.RESULT_EMPTY();
  return { kind: "layers", lower: collaborators.snapshots.lowerFolders(state.chainId) };
}

async function sendTree(built: AttestedImage, tree: TreeExporter, context: ExportContext): Promise<void> {
  const { session, signal } = context;
  if (session === undefined) throw buildFaults.SESSION_NEEDED();
  const root = rootOf(built, context);
  const statements = await fileStatements(built.attestations, root, { prefix: tree.prefix, signal });
  const archive = readFiles(root, { kind: "export" }, { signal });
  const folder = folderOf(built, tree);
  const isPlain = folder === "" && statements.length === 0;
  const sent = isPlain ? archive : writeTar(below(folder, archive, { statements }));
  await sendBytes(session, sent, { exporterId: tree.id, metadata: {}, signal });
}

/** A result's files below a folder, with a slash at its end; empty: as they are. What is said of them takes the place of what is there. */
export async function* below(
  folder: string,
  archive: AsyncIterable<Uint8Array>,
  { statements }: { readonly statements: readonly Statement[] },
): AsyncGenerator<TarSource, void, undefined> {
  if (folder !== "") yield { path: folder, type: "directory", mode: 0o755 };
  const inFolder = (name: string) => Buffer.concat([Buffer.from(folder), Buffer.from(name, "latin1")]);
  for await (const { entry, data } of readTar(archive)) {
    const path = rootedTarPath(entry.path);
    if (path === "" || path === "/") continue;
    if (statements.some(({ filename }) => filename === path)) continue;
    yield {
      ...tarSourceOf({ entry, data }),
      path: inFolder(path),
      ...(entry.type === "hardlink" && { linkPath: inFolder(rootedTarPath(entry.linkPath)) }),
    };
  }
  for (const { filename, bytes } of statements) {
    yield { path: `${folder}${filename}`, type: "file", mode: 0o600, content: bytes };
  }
}

async function sendFiles(built: AttestedImage, tree: TreeExporter, context: ExportContext): Promise<void> {
  const { session, signal } = context;
  if (session === undefined) throw buildFaults.SESSION_NEEDED();
  const root = rootOf(built, context);
  const folder = folderOf(built, tree);
  const statements = await fileStatements(built.attestations, root, { prefix: tree.prefix, signal });
  const files = filesOf(root, { folder, statements, signal });
  await sendFolder(session, files, { exporterId: tree.id, signal });
}

/** All files of a result, and what is said of them; their content is read when it is asked for. */
export async function* filesOf(
  root: FilesRoot,
  {
    folder,
    statements,
    signal,
  }: {
    readonly folder: string;
    readonly statements: readonly Statement[];
    readonly signal: AbortSignal;
  },
): AsyncGenerator<SentFile, void, undefined> {
  const found: SentFile[] = [];
  if (folder !== "") found.push({ ...emptyFolder, path: folder.slice(0, -1) });
  for await (const { entry } of readTar(readFiles(root, { kind: "export" }, { signal }))) {
    const path = Buffer.from(rootedTarPath(entry.path), "latin1").toString();
    if (path === "" || statements.some(({ filename }) => filename === path)) continue;
    found.push({
      path: `${folder}${path}`,
      type: entry.type,
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      sizeBytes: entry.sizeBytes,
      mtimeNs: entry.mtimeNs,
      linkPath: `${entry.type === "hardlink" ? folder : ""}${entry.linkPath.toString()}`,
      content: () => contentOf(root, path, signal),
    });
  }
  for (const { filename, bytes } of statements) {
    found.push({
      ...emptyFolder,
      path: `${folder}${filename}`,
      type: "file",
      mode: 0o600,
      sizeBytes: bytes.length,
      async *content() {
        yield bytes;
      },
    });
  }
  yield* found.toSorted((a, b) => compareWalk(a.path, b.path));
}

const emptyFolder: Omit<SentFile, "path"> = {
  type: "directory",
  mode: 0o755,
  uid: 0,
  gid: 0,
  sizeBytes: 0,
  mtimeNs: 0n,
  linkPath: "",
  async *content() {},
};

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
export function compareWalk(a: string, b: string): number {
  const [left, right] = [a, b].map((path) => Buffer.from(path.replaceAll("/", "\0")));
  return left === undefined || right === undefined ? 0 : Buffer.compare(left, right);
}
