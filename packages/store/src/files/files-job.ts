import type { FaultKind } from "@hawser/base";
import type { ViewBind } from "@hawser/linux";
import type { UserMap } from "@hawser/oci";
import type { StoreLimits } from "../limits.ts";
import type { FileStat } from "./file-stat.ts";
import type { ModeWish } from "./symbolic-mode.ts";

/** What becomes the root of a worker; it sees and touches nothing else. */
export type FilesRoot =
  | { readonly kind: "folder"; readonly path: string }
  /** Layers as overlay has them, topmost first, with `binds` in them. Without `upper` nothing can be written. */
  | {
      readonly kind: "layers";
      readonly lower: readonly string[];
      readonly upper?: string;
      readonly work?: string;
      /** The layers together cannot be written, unlike what is bound in them. */
      readonly readOnly?: boolean;
      /** What is written need not survive a power cut: the end of the work does not wait for the disk. */
      readonly volatile?: boolean;
      readonly binds?: readonly ViewBind[];
    }
  /**
   * What a process sees, by its mount namespace; `rootOnly`: without what is mounted in its root file system. Its owners are
   * by the map, if there is one.
   */
  | {
      readonly kind: "namespace";
      readonly fd: number;
      readonly rootOnly: boolean;
      readonly userMap?: UserMap;
    };

export interface WriteJob {
  readonly kind: "write";
  /** Of the folder; one byte a character. Links are followed, inside of the root. */
  readonly path: string;
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Refuse to put a file in the place of a folder, or the other way round. */
  readonly keepKinds: boolean;
  /** An entry for the folder itself changes nothing. */
  readonly keepFolder: boolean;
  readonly limits: StoreLimits;
}

/** The root is an overlay's writable folder, and becomes what the job `layer` with the same says of it. */
export interface SettleJob {
  readonly kind: "settle";
  readonly leaveOut: readonly string[];
  readonly latestNs: bigint;
}

/** A folder to be made, or to be made so. */
export interface NewFolder {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
}

/** A file or folder of another root is copied to the worker's own. */
export interface CopyJob {
  readonly kind: "copy";
  readonly source: FilesRoot;
  /** In the source, one byte a character; a link at its end is not followed. */
  readonly path: string;
  /** One that is there, one byte a character; links are followed, inside of the root. */
  readonly folder: string;
  /** What the copy is called below that, one byte a character; empty: the content of `path` comes to be in the folder itself. */
  readonly place: string;
  /** What a folder at `path` is itself does not count, only what is in it. */
  readonly isContent: boolean;
  /** Patterns of `.dockerignore` for what is below `path`, which they see as `shownAs` and what is in it; empty: as what is in it alone. */
  readonly exclude: readonly string[];
  /** One byte a character. */
  readonly shownAs: string;
  /** Below the folder, made first. */
  readonly parents: readonly NewFolder[];
  /** What is another of each file. */
  readonly change: ModeWish & {
    readonly owner?: { readonly uid: number; readonly gid: number };
    readonly timeNs?: bigint;
  };
}

/** What a worker is to do. */
export type FilesJob =
  | { readonly kind: "stat"; readonly path: string }
  /** How many parts of the path, from its beginning, are folders; links on the way and at the end are followed. */
  | { readonly kind: "count-folders"; readonly path: string }
  /** The archive that `docker cp` gets. */
  | { readonly kind: "read"; readonly path: string }
  /** All files. */
  | { readonly kind: "export" }
  /**
   * The root is an overlay's writable folder: the layer that it makes, without `leaveOut` where those are empty, and nothing in it
   * younger than `latestNs`.
   */
  | { readonly kind: "layer"; readonly leaveOut: readonly string[]; readonly latestNs?: bigint }
  /** The same root: a line of JSON, `UpperEntry`, for each file, folders before what is in them. */
  | { readonly kind: "scan" }
  /**
   * Lines of JSON, each an array of `ListedEntry`: the files that `ignore` (patterns of `.dockerignore`) does not leave out; with
   * `follow` of those only what `followLinks` makes of it.
   */
  | { readonly kind: "list"; readonly ignore: readonly string[]; readonly follow?: readonly string[] }
  /** Files, folders without what is in them, by paths of such a list, in that order. */
  | { readonly kind: "pick"; readonly paths: readonly string[] }
  /** A line of JSON, `FileNote`, for what a path leads to, links followed; `isInside`: for each file of that folder instead. */
  | { readonly kind: "look"; readonly path: string; readonly isInside: boolean }
  | { readonly kind: "measure" }
  /** A file or folder, with all that is in it; a link at the end is not followed. Nothing there is fine. */
  | { readonly kind: "remove"; readonly path: string }
  | SettleJob
  | CopyJob
  | WriteJob;

/** Path, one byte a character, without leading slash; and all of the file but its content. */
export type ListedEntry = readonly [path: string, mark: string];

/** All of a file but its content. */
export interface FileNote {
  /** Without its folder's, one byte a character; empty: the root. */
  readonly name: string;
  /** As stat(2) has it. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** A whole number. */
  readonly mtimeNs: string;
  /** Of a symbolic link, one byte a character; else empty. */
  readonly linkPath: string;
}

/** What is in an overlay's writable folder under one name. */
export interface UpperEntry {
  /** One byte a character, without leading slash. */
  readonly path: string;
  readonly kind: "folder" | "opaque-folder" | "whiteout" | "other";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

/** From the worker, for a job: `result` first where there is one, any number of `chunk` or `want`, then `end` or `failed`. */
export type FilesReport =
  | { readonly kind: "result"; readonly value: FileStat | number }
  | { readonly kind: "chunk"; readonly bytes: Uint8Array }
  | { readonly kind: "want" }
  | { readonly kind: "end" }
  /** It has left its root. */
  | { readonly kind: "released" }
  | { readonly kind: "failed"; readonly fault: FaultKind; readonly problem: string };

/** To the worker. */
export type FilesCommand =
  /** Do a job; the first one says where this and all that follow, until `release`, are done. */
  | { readonly kind: "begin"; readonly root?: FilesRoot; readonly job: FilesJob }
  /** There is no other job for that root: leave it. */
  | { readonly kind: "release" }
  /** One more chunk may come. */
  | { readonly kind: "more" }
  /** The next piece of the archive; the last one has none. */
  | { readonly kind: "piece"; readonly bytes?: Uint8Array };

/** Chunks that may be on their way. */
export const chunksAhead = 4;
