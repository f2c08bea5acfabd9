import { createHash } from "node:crypto";

/**
 * One thing to do. The graph's words are LLB's (BuildKit, `solver/pb/ops.proto`): sources have no inputs, an exec op runs a
 * process in its first input, file ops change their first input with files of the others.
 */
export type Op =
  | { readonly kind: "image"; readonly reference: string; readonly chainId?: string }
  | LocalOp
  /** A repository's files, as `parseGitReference` reads the text. */
  | { readonly kind: "git"; readonly reference: string; readonly keepsGitDir: boolean }
  | HttpOp
  | ExecOp
  | CopyOp
  | MakeFolderOp
  | FileOp
  /** The inputs, each laid over those before it. */
  | { readonly kind: "merge" }
  /** What makes the second input of the first. */
  | { readonly kind: "diff" }
  /** The result of a graph that the input has in a file: `pb.Definition`. */
  | { readonly kind: "build"; readonly path: string }
  /** One of the results of an exec op that has several, counted from 0. */
  | { readonly kind: "output"; readonly index: number };

/** Files of the user's, perhaps a part of them: patterns are those of `.dockerignore`. */
export interface LocalOp {
  readonly kind: "local";
  readonly name: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** These only, and what links in them lead to. */
  readonly follow?: readonly string[];
}

/** A file of the net, alone in a file system. */
export interface HttpOp {
  readonly kind: "http";
  readonly url: string;
  readonly checksum?: string;
  /** Absent: what the URL calls it. */
  readonly name?: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface ExecOp {
  readonly kind: "exec";
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** Environment that may change without the result being another: proxies. */
  readonly hiddenEnv: readonly string[];
  readonly workingDir: string;
  readonly user: string;
  readonly network: "default" | "none" | "host";
  readonly privileged: boolean;
  readonly mounts: readonly ExecMount[];
  readonly readOnlyRoot?: boolean;
  /** What it results in: binds by their numbers among the mounts, -1 the root; absent: the root alone. */
  readonly outputs?: readonly number[];
  readonly hostname?: string;
  /** `name:address`. */
  readonly hosts?: readonly string[];
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly cgroupParent?: string;
  /** Of the machine that its programs are for, where that is not this one: `linux/arm64`. */
  readonly foreignPlatform?: string;
  /** Of a process that has done what it should; absent: 0 alone. */
  readonly exitCodes?: readonly number[];
}

export type ExecMount =
  /** Kept on this machine from one build to the next. */
  | {
      readonly kind: "cache";
      readonly id: string;
      readonly target: string;
      readonly readOnly: boolean;
      /** `private`: no two processes have the same at once; `locked`: they wait for each other. Absent: they share. */
      readonly sharing?: "private" | "locked";
      /** Of its folder when that is made empty. Absent: root's, 0o755. One of the same id with other rights is another. */
      readonly rights?: { readonly mode: number; readonly uid: number; readonly gid: number };
      /** What it begins with when it is made: a folder of the input of that number. With another folder it is another. */
      readonly files?: { readonly input: number; readonly source: string };
    }
  | { readonly kind: "tmpfs"; readonly target: string; readonly sizeBytes?: number }
  /** A part of the input of that number. */
  | {
      readonly kind: "bind";
      readonly input: number;
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
    }
  | {
      readonly kind: "secret";
      readonly id: string;
      readonly target: string;
      readonly isRequired: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      readonly kind: "secret-variable";
      readonly id: string;
      readonly name: string;
      readonly isRequired: boolean;
    }
  /** A socket to the user's ssh agent. */
  | {
      readonly kind: "ssh";
      readonly id: string;
      readonly target: string;
      readonly isRequired: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  /** A text of the Dockerfile as a program. */
  | { readonly kind: "text"; readonly content: string; readonly target: string };

export interface CopyOp {
  readonly kind: "copy";
  readonly sources: readonly CopySource[];
  /** In the first input, absolute; with `/` at its end a folder is meant. */
  readonly target: string;
  /** `user[:group]`, names of the first input or numbers; absent: root. */
  readonly owner?: string;
  /** Permission bits; absent: the source's. */
  readonly mode?: number;
  /** `u=rwX,go=rX`: how those of each source are changed. */
  readonly modeText?: string;
  /** Keep the folders that the source's path names. */
  readonly keepsParents: boolean;
  readonly exclude: readonly string[];
  /** Local archives are unpacked. */
  readonly unpacks: boolean;
}

export type CopySource =
  /** Paths, perhaps with wildcards, of the input of that number. */
  | {
      readonly kind: "path";
      readonly input: number;
      readonly path: string;
      /** The input came from the net: its files are taken as the user's are. */
      readonly isFetched?: true;
      /** Absent: as the op says. */
      readonly unpacks?: boolean;
    }
  | { readonly kind: "text"; readonly name: string; readonly content: string };

export interface MakeFolderOp {
  readonly kind: "make-folder";
  readonly path: string;
  readonly owner?: string;
}

/** Changes of the first input's files, one after the other. */
export interface FileOp {
  readonly kind: "file";
  readonly actions: readonly FileAction[];
}

/** Paths are of the file system that is changed; links on the way are followed inside of it. Times: ns since 1970. */
export type FileAction =
  | CopyAction
  | {
      readonly kind: "make-file";
      readonly path: string;
      readonly mode: number;
      /** Base64. */
      readonly content: string;
      readonly owner?: Owner;
      readonly timeNs?: string;
    }
  | {
      readonly kind: "make-folder";
      readonly path: string;
      readonly mode: number;
      readonly makesParents: boolean;
      readonly owner?: Owner;
      readonly timeNs?: string;
    }
  | {
      readonly kind: "make-link";
      readonly path: string;
      readonly target: string;
      readonly owner?: Owner;
      readonly timeNs?: string;
    }
  | {
      readonly kind: "remove";
      readonly path: string;
      readonly mayBeMissing: boolean;
      readonly hasWildcards: boolean;
    };

/** Files of the input of that number into the first one. */
export interface CopyAction {
  readonly kind: "copy";
  readonly input: number;
  readonly source: string;
  readonly target: string;
  /** Permission bits; absent, as is the text: the source's. */
  readonly mode?: number;
  /** As chmod(1) takes it: `u+x`. */
  readonly modeText?: string;
  /** Links in the source's path are followed at its end, too. */
  readonly followsLinks: boolean;
  /** Of a folder what is in it, not itself. */
  readonly copiesContent: boolean;
  readonly unpacks: boolean;
  readonly makesParents: boolean;
  readonly hasWildcards: boolean;
  readonly mayMatchNothing: boolean;
  /** Patterns of `.dockerignore`, below the source. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Paths below the source that `include` must leave. */
  readonly required: readonly string[];
  /** A file takes the place of a folder, and the other way round. */
  readonly replaces: boolean;
  readonly owner?: Owner;
  readonly timeNs?: string;
}

/** Absent parts: root; a group that is not given is the user's. */
export interface Owner {
  readonly user?: OwnerPart;
  readonly group?: OwnerPart;
}

/** A number, or a name that the input of that number knows. */
export type OwnerPart = { readonly id: number } | { readonly name: string; readonly input: number };

/** An op and what it works on. The same digest means the same work. */
export interface Vertex {
  readonly digest: string;
  readonly op: Op;
  /** `undefined`: an empty file system. */
  readonly inputs: readonly (Vertex | undefined)[];
}

export function createVertex(op: Op, inputs: readonly (Vertex | undefined)[] = []): Vertex {
  const told = JSON.stringify([op, inputs.map((input) => input?.digest ?? null)]);
  return { op, inputs, digest: `sha256:${createHash("sha256").update(told).digest("hex")}` };
}

/**
 * Vertices and what they work on, each once and before what needs it. How deep a graph is must not be how deep the stack gets: a
 * client may have made it.
 */
export function verticesBelow(roots: readonly (Vertex | undefined)[]): readonly Vertex[] {
  const found = new Map<string, Vertex>();
  const open = roots.filter((root) => root !== undefined).toReversed();
  for (let vertex = open.at(-1); vertex !== undefined; vertex = open.at(-1)) {
    const missing = vertex.inputs.flatMap((input) =>
      input === undefined || found.has(input.digest) ? [] : [input],
    );
    if (missing.length === 0) {
      found.set(vertex.digest, vertex);
      open.pop();
    } else open.push(...missing.toReversed());
  }
  return [...found.values()];
}

/** One of the results of a vertex that has several. */
export function outputOf(vertex: Vertex, index: number): Vertex {
  return createVertex({ kind: "output", index }, [vertex]);
}
