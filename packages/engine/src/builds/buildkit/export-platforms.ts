import { type TarSource, writeTar } from "@hawser/base";
import { type ExporterRequest, type SentFile, sendBytes, sendFolder } from "@hawser/build/grpc";
import {
  formatImageConfig,
  type ImageConfig,
  mediaTypes,
  type Platform,
  parseReference,
  platformOfNode,
  platformsMatch,
} from "@hawser/oci";
import { type Image, readFiles } from "@hawser/store";
import { fileStatements } from "../attest/file-statements.ts";
import { blobOf } from "../export/image-blobs.ts";
import type { IndexedImage } from "../export/image-index.ts";
import { type Exporter, readExporter } from "../export/read-exporter.ts";
import { buildFaults } from "../faults.ts";
import { bringIndexed, sendIndexed } from "./export-index.ts";
import {
  type AttestedImage,
  below,
  compareWalk,
  type ExportContext,
  filesOf,
  responseOf,
  rootOf,
} from "./export-result.ts";
import type { DescribedManifest } from "./push-written.ts";

/** A result for one machine of several. */
export interface BuiltPlatform {
  /** What the front end calls it: `linux/arm64`. */
  readonly name: string;
  readonly platform: Platform;
  readonly built: AttestedImage;
}

type SealedPlatform = BuiltPlatform & { readonly config: ImageConfig };

async function sealAll(all: readonly BuiltPlatform[]): Promise<readonly SealedPlatform[]> {
  return await Promise.all(all.map(async (one) => ({ ...one, config: await one.built.seal() })));
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
  const read = readExporter(exporter, { isIndex: true });
  switch (read.kind) {
    case "image":
      return await exportImages(all, { exporter: read, request: exporter }, context);
    case "archive":
      if (read.isDocker) throw buildFaults.PLATFORMS_ONE_IMAGE();
      return await exportLayout(all, { exporter: read, request: exporter }, context);
    case "tree": {
      const tree = { ...read, id: exporter.id };
      const send = read.isFile ? sendTrees : sendFolders;
      const title = read.isFile ? "sending tarball" : "copying files";
      await context.progress.step(title, () => send(all, tree, context));
      return {};
    }
  }
}

interface Asked<Kind extends Exporter["kind"]> {
  readonly exporter: Exporter & { readonly kind: Kind };
  readonly request: ExporterRequest;
}

/** Each as the client wants it: annotations may be for one of them. */
function indexedImages(all: readonly SealedPlatform[], request: ExporterRequest): readonly IndexedImage[] {
  return all.map(({ name, platform, config, built: { attestations } }) => {
    const exporter = readExporter(request, { platform: name, isIndex: true });
    if (exporter.kind === "tree") throw buildFaults.EXPORTER_UNKNOWN(request.type);
    return { config, platform, attestations, form: exporter.form };
  });
}

async function exportImages(
  results: readonly BuiltPlatform[],
  { exporter, request }: Asked<"image">,
  context: ExportContext,
): Promise<Readonly<Record<string, string>>> {
  const { progress, registry, signal, access } = context;
  const { names, stores, push, form } = exporter;
  return await progress.step("exporting to image", async (step) => {
    const all = await sealAll(results);
    const [first] = all;
    if (first === undefined) throw buildFaults.RESULT_EMPTY();
    const host = platformOfNode(process);
    const own = all.find(({ platform }) => platformsMatch(host, platform)) ?? first;
    const ownId = blobOf(formatImageConfig(own.config)).digest;
    const images: { readonly image: Image["id"]; readonly platform: Platform }[] = [];
    for (const one of stores ? all : []) {
      const references = one === own ? names : [];
      const image = await context.collaborators.images.create(one.config, { references });
      images.push({ image: image.id, platform: one.platform });
      step.status(`writing image ${image.id} for ${one.name}`, { current: 0, isDone: true });
    }
    if (stores) {
      for (const name of names) step.status(`naming ${own.name} to ${name}`, { current: 0, isDone: true });
    }
    const told = responseOf(own.config, names);
    const isAttested = all.some(({ built }) => built.attestations.length > 0);
    if (push === "no" && !isAttested) return told;
    if (!stores || !form.isDefault || isAttested || push === "by-digest") {
      const options = {
        names,
        annotations: form.annotations.index,
        pushes: push !== "no",
        isTop: push === "by-name",
        keptAs: stores ? ownId : undefined,
        onPush: (name: string) => step.status(`pushing ${name}`, { current: 0, isDone: true }),
      };
      const index = await bringIndexed(indexedImages(all, request), options, context);
      return push === "no" ? told : { ...told, ...responseOfIndex(index) };
    }
    let index: DescribedManifest | undefined;
    for (const name of names) {
      const { domain } = parseReference(name);
      const { digest, sizeBytes: size } = await registry.pushIndex(name, images, {
        access: await access(domain),
        signal,
      });
      index = { mediaType: mediaTypes.ociIndex, digest, size };
      step.status(`pushing ${name}`, { current: 0, isDone: true });
    }
    return { ...told, ...(index && responseOfIndex(index)) };
  });
}

async function exportLayout(
  all: readonly BuiltPlatform[],
  { exporter, request }: Asked<"archive">,
  context: ExportContext,
): Promise<Readonly<Record<string, string>>> {
  const { session, progress } = context;
  if (session === undefined) throw buildFaults.SESSION_NEEDED();
  const { names, isFile, form } = exporter;
  const { index: annotations, indexDescriptor: descriptor } = form.annotations;
  const options = { names, annotations, descriptor, isFile, id: request.id, session };
  return await progress.step("exporting to oci image format", async () => {
    const index = await sendIndexed(indexedImages(await sealAll(all), request), options, context);
    return { ...responseOfIndex(index), ...(names.length > 0 && { "image.name": names.join(",") }) };
  });
}

function responseOfIndex(descriptor: DescribedManifest) {
  return {
    "containerimage.digest": descriptor.digest,
    "containerimage.descriptor": Buffer.from(JSON.stringify(descriptor)).toString("base64"),
  };
}

type TreeExporter = Exporter & { readonly kind: "tree"; readonly id: number };

async function sendTrees(
  all: readonly BuiltPlatform[],
  tree: TreeExporter,
  context: ExportContext,
): Promise<void> {
  const { session, signal } = context;
  if (session === undefined) throw buildFaults.SESSION_NEEDED();
  const files = writeTar(treesOf(all, tree, context));
  await sendBytes(session, files, { exporterId: tree.id, metadata: {}, signal });
}

/** What is said of a result, in its folder, or by a name that says which one it is about. */
async function statementsOf({ name, built }: BuiltPlatform, tree: TreeExporter, context: ExportContext) {
  return await fileStatements(built.attestations, rootOf(built, context), {
    prefix: tree.prefix,
    ...(tree.splits === false && { platform: folderOf(name) }),
    signal: context.signal,
  });
}

async function* treesOf(
  all: readonly BuiltPlatform[],
  tree: TreeExporter,
  context: ExportContext,
): AsyncGenerator<TarSource, void, undefined> {
  const merged = new Merged(tree);
  for (const one of all) {
    const statements = await statementsOf(one, tree, context);
    const folder = tree.splits === false ? "" : `${folderOf(one.name)}/`;
    const archive = readFiles(rootOf(one.built, context), { kind: "export" }, { signal: context.signal });
    for await (const entry of below(folder, archive, { statements })) {
      if (merged.takes(String(entry.path), { type: entry.type, of: one.name })) yield entry;
    }
  }
}

/** Files of several results in one folder: what two of them have is a folder, or cannot be. */
class Merged {
  readonly #isNeeded: boolean;
  readonly #from = new Map<string, { readonly type: string; readonly of: string }>();

  constructor({ splits }: TreeExporter) {
    this.#isNeeded = splits === false;
  }

  /** @returns false: it is there already @throws {Fault} `invalid-argument` */
  takes(path: string, file: { readonly type: string; readonly of: string }): boolean {
    if (!this.#isNeeded) return true;
    const name = path.replace(/\/$/, "");
    const known = this.#from.get(name);
    if (known === undefined) {
      this.#from.set(name, file);
      return true;
    }
    if (known.type === "directory" && file.type === "directory") return false;
    throw buildFaults.PLATFORMS_SAME_FILE(name, known.of, file.of);
  }
}

async function sendFolders(
  all: readonly BuiltPlatform[],
  tree: TreeExporter,
  context: ExportContext,
): Promise<void> {
  const { session, signal } = context;
  if (session === undefined) throw buildFaults.SESSION_NEEDED();
  const files = tree.splits === false ? mergedFiles(all, tree, context) : foldersOf(all, tree, context);
  await sendFolder(session, files, { exporterId: tree.id, signal });
}

async function* mergedFiles(
  all: readonly BuiltPlatform[],
  tree: TreeExporter,
  context: ExportContext,
): AsyncGenerator<SentFile, void, undefined> {
  const merged = new Merged(tree);
  const files: SentFile[] = [];
  for (const one of all) {
    const statements = await statementsOf(one, tree, context);
    const options = { folder: "", statements, signal: context.signal };
    for await (const file of filesOf(rootOf(one.built, context), options)) {
      if (merged.takes(file.path, { type: file.type, of: one.name })) files.push(file);
    }
  }
  yield* files.toSorted((a, b) => compareWalk(a.path, b.path));
}

async function* foldersOf(
  all: readonly BuiltPlatform[],
  tree: TreeExporter,
  context: ExportContext,
): AsyncGenerator<SentFile, void, undefined> {
  const sorted = all
    .map((one) => ({ ...one, folder: folderOf(one.name) }))
    .toSorted((a, b) => (a.folder < b.folder ? -1 : 1));
  for (const { folder, ...one } of sorted) {
    const statements = await statementsOf(one, tree, context);
    const options = { folder: "", statements, signal: context.signal };
    yield {
      path: folder,
      type: "directory",
      mode: 0o755,
      uid: 0,
      gid: 0,
      sizeBytes: 0,
      mtimeNs: BigInt((one.built.config.created?.getTime() ?? 0) * 1_000_000),
      linkPath: "",
      async *content() {},
    };
    for await (const file of filesOf(rootOf(one.built, context), options)) {
      const linkPath = file.type === "hardlink" ? `${folder}/${file.linkPath}` : file.linkPath;
      yield { ...file, path: `${folder}/${file.path}`, linkPath };
    }
  }
}

/** As BuildKit calls them: `linux_arm64`. */
function folderOf(name: string): string {
  return name.replaceAll("/", "_");
}
