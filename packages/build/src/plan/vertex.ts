import { createHash } from "node:crypto";

/**
 * One thing to do. The graph's words are LLB's (BuildKit, `solver/pb/ops.proto`): sources have no inputs, an exec op runs a
 * process in its first input, file ops change their first input with files of the others.
 */
export type Op =
  | { readonly kind: "image"; readonly reference: string; readonly chainId?: string }
  | { readonly kind: "local"; readonly name: string }
  /** A repository's files, as `parseGitReference` reads the text. */
  | { readonly kind: "git"; readonly reference: string; readonly keepsGitDir: boolean }
  | ExecOp
  | CopyOp
  | MakeFolderOp;

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
}

export type ExecMount =
  /** Kept on this machine from one build to the next. */
  | { readonly kind: "cache"; readonly id: string; readonly target: string; readonly readOnly: boolean }
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
  /** Permission bits, octal; absent: the source's. */
  readonly mode?: number;
  /** Keep the folders that the source's path names. */
  readonly keepsParents: boolean;
  readonly exclude: readonly string[];
  /** Local archives are unpacked. */
  readonly unpacks: boolean;
}

export type CopySource =
  /** Paths, perhaps with wildcards, of the input of that number. */
  | { readonly kind: "path"; readonly input: number; readonly path: string }
  | { readonly kind: "text"; readonly name: string; readonly content: string }
  | { readonly kind: "url"; readonly url: string; readonly checksum?: string };

export interface MakeFolderOp {
  readonly kind: "make-folder";
  readonly path: string;
  readonly owner?: string;
}

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
