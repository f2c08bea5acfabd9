import { createHash } from "node:crypto";
import { basename, posix } from "node:path";
import { compileIgnorePatterns, Fault, type TarSource, writeTar } from "@hawser/base";
import type { CopyOp, CopySource } from "@hawser/build";
import { resolveUser } from "@hawser/runtime";
import {
  copyFile,
  type FilesRoot,
  modeChange,
  OpenFiles,
  type OverlayMount,
  statPath,
  withoutForeignCompression,
  writeArchive,
} from "@hawser/store";
import { readAccounts } from "../containers/accounts.ts";
import type { BuildContext } from "./build-context.ts";
import { type BuildState, identityOf } from "./build-state.ts";
import { buildFaults } from "./faults.ts";
import {
  fileBytes,
  findPlace,
  folderModeOf,
  isFolder,
  joinPath,
  looksPacked,
  type Owner,
  parentEntries,
  parentFolders,
  selectFiles,
} from "./tree-files.ts";

/** Where files of a copy come from. */
export type CopyInput =
  | { readonly kind: "context"; readonly context: BuildContext }
  | { readonly kind: "files"; readonly lower: readonly string[] };

export interface FilesWork {
  /** What is written to. */
  readonly overlay: OverlayMount;
  /** Time of what has none of its own that matters: that of files sent by a user. */
  readonly epochMs: number;
  readonly signal: AbortSignal;
}

/** What is written to, which comes to the disk with all that the build makes. */
export function openTarget({ overlay }: FilesWork): OpenFiles {
  return new OpenFiles({ kind: "layers", ...overlay, volatile: true });
}

/** `COPY` and `ADD`. @throws {Fault} `invalid-argument`, `unavailable` for the net's sake */
export async function copyFiles(
  op: CopyOp,
  inputs: readonly (CopyInput | undefined)[],
  work: FilesWork,
): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const root = opened.use(openTarget(work));
  const roots = inputs.map((input) => input && opened.use(new OpenFiles(rootOf(input))));
  const owner = op.owner === undefined ? undefined : resolveOwner(op.owner, work.overlay);
  const sources: FoundSource[] = [];
  for (const source of op.sources) sources.push(...(await findSources(source, { op, inputs, roots, work })));
  const left = compileIgnorePatterns(op.keepsParents ? op.exclude : []);
  let target = await findPlace(root, op.target, work);
  const write = (entries: Iterable<TarSource>, folder: string) =>
    writeArchive(root, writeTar(entries), { ...whole, path: folder, signal: work.signal });
  for (const [number, source] of sources.entries()) {
    // What came before may have made it.
    if (number > 0 && target.missing !== "") target = await findPlace(root, op.target, work);
    const intoFolder = op.target.endsWith("/") || target.missing === "" || op.keepsParents;
    if (source.kind === "archive") {
      await write(parentEntries(`${target.missing}/`, { owner, work }), target.folder);
      const folder = posix.join(target.folder, target.missing);
      await writeArchive(root, withoutForeignCompression(source.bytes()), {
        ...whole,
        path: folder,
        signal: work.signal,
        ...(owner && { owner }),
      });
      continue;
    }
    const isContent = source.kind === "tree" && source.isFolder && !op.keepsParents;
    if (isContent && target.isFile) throw buildFaults.TARGET_NO_FOLDER(op.target);
    const below = op.keepsParents && source.kind === "tree" ? source.below : undefined;
    // What keeps its folders has them in the patterns as well, so it may be left out itself.
    if (below !== undefined && left.ignores(below) && !left.mayKeepBelow(below)) continue;
    const name = below ?? source.name;
    // Below the deepest folder that is there.
    const place = isContent || !intoFolder ? target.missing : joinPath(target.missing, name);
    const dress = { owner, folderMode: folderModeOf(op), work };
    if (source.kind === "file") {
      const entry = fileEntry(source, place, { op, owner, work });
      await write([...parentEntries(place, dress), entry], target.folder);
      continue;
    }
    await copyFile(root, {
      source: source.root.root,
      path: `/${source.path}`,
      folder: target.folder,
      place,
      isContent,
      exclude: op.exclude,
      shownAs: below ?? "",
      parents: parentFolders(isContent && place !== "" ? `${place}/` : place, dress),
      change: changeOf(source, { op, owner, work }),
      signal: work.signal,
    });
  }
}

/** What is written joins what is there: a file takes the place of a file, a folder keeps what it has. */
const whole = { keepKinds: false, keepFolder: true } as const;

/** `WORKDIR`: a folder and those on the way to it, where they are not there. */
export async function makeFolder(
  request: { readonly path: string; readonly owner?: string },
  work: FilesWork,
): Promise<void> {
  await using root = openTarget(work);
  const { folder, missing } = await findPlace(root, `${request.path}/`, work);
  if (missing === "") return;
  const owner = request.owner === undefined ? undefined : resolveOwner(request.owner, work.overlay);
  await writeArchive(root, writeTar(parentEntries(`${missing}/`, { owner, work })), {
    ...whole,
    path: folder,
    signal: work.signal,
  });
}

interface FoundTree {
  readonly kind: "tree";
  readonly root: OpenFiles;
  readonly path: string;
  /** From its source's pivot on, before a link was followed. */
  readonly below: string;
  readonly name: string;
  readonly isFolder: boolean;
  /** It belongs to nobody, and its times are those of its transfer. */
  readonly isContext: boolean;
}

/** A file whose content the Dockerfile has. */
interface FoundText {
  readonly kind: "file";
  readonly name: string;
  readonly content: Buffer;
  readonly mode: number;
}

type FoundSource =
  | FoundTree
  | FoundText
  | { readonly kind: "archive"; readonly name: string; bytes(): AsyncGenerator<Uint8Array, void, undefined> };

async function findSources(
  source: CopySource,
  at: {
    readonly op: CopyOp;
    readonly inputs: readonly (CopyInput | undefined)[];
    readonly roots: readonly (OpenFiles | undefined)[];
    readonly work: FilesWork;
  },
): Promise<readonly FoundSource[]> {
  const { op, inputs, roots, work } = at;
  if (source.kind === "text") {
    return [{ kind: "file", name: source.name, content: Buffer.from(source.content), mode: 0o644 }];
  }
  const [input, root] = [inputs[source.input], roots[source.input]];
  if (input === undefined || root === undefined) throw buildFaults.SOURCE_MISSING(source.path);
  const isContext = input.kind === "context" || source.isFetched === true;
  const paths =
    input.kind === "context"
      ? input.context.select(source.path, op.keepsParents)
      : await selectFiles(root, source.path, work, op.keepsParents);
  const found: FoundSource[] = [];
  for (const path of paths) {
    const seen = await followLink({ root, path, ...(input.kind === "context" && input) }, work);
    const isTree = seen.isFolder;
    const tree = {
      kind: "tree",
      root,
      path: seen.path,
      below: path.split("/").slice(foldersBeforePivot(source.path)).join("/"),
      name: basename(path),
      isFolder: isTree,
      isContext,
    } as const;
    const packed = (source.unpacks ?? op.unpacks) && !isTree && (await looksPacked(tree, work));
    found.push(packed ? { kind: "archive", name: tree.name, bytes: () => fileBytes(tree, work) } : tree);
  }
  return found;
}

/** How many folders `--parents` leaves out: those before `/./`. Dockerfile reference, "COPY --parents". */
function foldersBeforePivot(source: string): number {
  const pivot = source.indexOf("/./");
  const folders = posix.normalize(`/${source.slice(0, Math.max(pivot, 0))}`).split("/");
  return folders.filter((folder) => folder !== "").length;
}

/** What is named itself is what its link leads to, inside of the root; links below it stay. */
async function followLink(
  {
    root,
    path,
    context,
  }: { readonly root: OpenFiles; readonly path: string; readonly context?: BuildContext },
  { signal }: FilesWork,
): Promise<{ readonly path: string; readonly isFolder: boolean }> {
  if (context !== undefined) {
    const real = context.resolve(path);
    return { path: real, isFolder: context.isFolder(real) };
  }
  const { linkTarget, ...stat } = await statPath(root, `/${path}`, { signal });
  if (linkTarget === "") return { path, isFolder: isFolder({ linkTarget, ...stat }) };
  try {
    const target = await statPath(root, linkTarget, { signal });
    return { path: linkTarget.slice(1), isFolder: isFolder(target) };
  } catch (error) {
    if (!Fault.is(error, "not-found")) throw error;
    throw buildFaults.SOURCE_MISSING(`/${path}`);
  }
}

export function rootOf(input: CopyInput): FilesRoot {
  return input.kind === "context" ? input.context.root : { kind: "layers", lower: input.lower };
}

interface CopyWork {
  readonly op: CopyOp;
  readonly owner: Owner | undefined;
  readonly work: FilesWork;
}

/** What files of a context have of their own is what they were sent with. */
function changeOf({ isContext }: FoundTree, { op: { mode, modeText }, owner, work }: CopyWork) {
  const whose = owner ?? (isContext ? { uid: 0, gid: 0 } : undefined);
  return {
    ...(mode !== undefined && { mode }),
    ...(modeText !== undefined && { modeText }),
    ...(whose && { owner: whose }),
    ...(isContext && { timeNs: BigInt(work.epochMs) * 1_000_000n }),
  };
}

function fileEntry({ content, mode }: FoundText, path: string, { op, owner, work }: CopyWork): TarSource {
  const mtimeNs = BigInt(work.epochMs) * 1_000_000n;
  return { path, type: "file", mode: modeChange(op)(mode, false), mtimeNs, content, ...owner };
}

/** As BuildKit: a user whom nobody knows is root, so that a stage without accounts can say `--chown=root:root`; a group, the user's. */
function resolveOwner(text: string, overlay: OverlayMount): Owner {
  const accounts = readAccounts(overlay);
  const find = (wanted: string, otherwise: Owner): Owner => {
    try {
      return resolveUser(wanted, accounts);
    } catch {
      return otherwise;
    }
  };
  const [user = "", group = ""] = text.split(":", 2);
  const { uid, gid } = find(user, { uid: 0, gid: 0 });
  if (group !== "") return { uid, gid: find(`0:${group}`, { uid, gid }).gid };
  // A user without a group: the group of the same number, as Docker has it, unless the user is known by name.
  return { uid, gid: /^\d+$/.test(text) ? uid : gid };
}

/** What the sources of a copy have, for the key of its result. */
export function digestOfSources(op: CopyOp, inputs: readonly (BuildState | undefined)[]): string {
  const hash = createHash("sha256");
  for (const source of op.sources) {
    if (source.kind !== "path") continue;
    const input = inputs[source.input];
    if (input?.kind === "context") {
      for (const path of input.context.select(source.path, op.keepsParents)) {
        hash.update(`${path}\0${input.context.digestOf(input.context.resolve(path))}\n`);
      }
    } else hash.update(`${input === undefined ? "scratch" : identityOf(input)}\n`);
  }
  return hash.digest("hex");
}
