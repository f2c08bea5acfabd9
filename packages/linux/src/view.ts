import { isMainThread } from "node:worker_threads";
import { linuxFaults } from "./faults.ts";
import { asBuffer, native } from "./native.ts";

/** A folder or file to be seen inside of a view. */
export interface ViewBind {
  /** Outside of the view. One that is not there is left out. */
  readonly source: string;
  /** A part of `source` to be bound in its place; links on the way stay inside of `source`. */
  readonly subpath?: string;
  /** Folders, topmost first, that are one tree at `source`, which is the first of them. */
  readonly layers?: readonly string[];
  /** Inside; made where it is missing. Links on the way are followed inside of the view. */
  readonly target: string;
  readonly readOnly: boolean;
  readonly recursive: boolean;
}

/** Where the root of a view comes from. */
export type ViewRoot =
  /** Folders of an overlay mount, topmost first; without `upper` nothing can be written. */
  | {
      readonly kind: "layers";
      readonly lower: readonly string[];
      readonly upper?: string;
      readonly work?: string;
      /** The layers together cannot be written, unlike what is bound in them. */
      readonly readOnly?: boolean;
      /** What is written need not survive a power cut: the end of the mount does not wait for the disk. */
      readonly volatile?: boolean;
    }
  /** Another mount namespace, without its /proc and /sys; `rootOnly`: its root file system without what is mounted in it. */
  | { readonly kind: "namespace"; readonly fd: number; readonly rootOnly: boolean };

/**
 * Give the calling worker thread alone, until `releaseThread`, a private mount namespace and a root in it, as `confineThread` does with a
 * folder, under the same rules. The mounts go with the thread; nobody else ever sees them. The namespace's descriptor stays
 * the caller's.
 *
 * @throws {Fault} `invalid-argument` on the main thread.
 * @throws {Error} with `code` `EPERM`, `ENOENT`, `ENOTDIR`, `EINVAL` and so on; the thread must not go on then.
 */
export function confineThreadToView(root: ViewRoot, binds: readonly ViewBind[] = []): void {
  if (isMainThread) throw linuxFaults.MAIN_THREAD();
  const isNamespace = root.kind === "namespace";
  const layers = isNamespace ? { lower: [] } : root;
  const bindTexts = binds.flatMap((bind) => [
    bind.source,
    bind.subpath ?? "",
    bind.target,
    `${bind.recursive ? "r" : ""}${bind.readOnly ? "o" : ""}`,
    ...(bind.layers ?? []),
    "",
  ]);
  native().confineThreadToView(
    isNamespace ? root.fd : -1,
    flagsOf(root),
    textList(layers.lower),
    "upper" in layers ? (layers.upper ?? "") : "",
    "work" in layers ? (layers.work ?? "") : "",
    textList(bindTexts),
  );
}

function flagsOf(root: ViewRoot): number {
  if (root.kind === "namespace") return root.rootOnly ? 1 : 0;
  return (root.readOnly === true ? 2 : 0) + (root.volatile === true ? 4 : 0);
}

function textList(texts: readonly string[]): Buffer {
  const wrong = texts.find((text) => text.includes("\0"));
  if (wrong !== undefined) throw linuxFaults.TEXT_WITH_NUL();
  return asBuffer(Buffer.from(texts.map((text) => `${text}\0`).join("")));
}
