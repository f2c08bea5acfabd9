import type { ExecutionConfig, HistoryEntry, ImageConfig, Platform } from "@hawser/oci";
import type { InstructionNode } from "../dockerfile/parse-dockerfile.ts";
import type { Vertex } from "../plan/vertex.ts";

/** One instruction of a stage, as progress shows it. */
export interface Step {
  /** Its stage: place among all, and name; empty: it has none. */
  readonly stage: { readonly index: number; readonly name: string; readonly platform?: Platform };
  readonly text: string;
  readonly node: InstructionNode;
  /** What it does to the file system; absent: it changes the configuration only, or goes on with another stage. */
  readonly vertex?: Vertex;
}

/** An entry whose layer, if it has one, is the one that `vertex` makes; without a vertex it is the base image's. */
export type PlannedHistory = HistoryEntry & { readonly vertex?: Vertex };

/** A stage while its instructions are read. */
export interface Stage {
  readonly name: string;
  readonly index: number;
  readonly base?: { readonly config: ImageConfig };
  /** That its `FROM` says; absent: the build's. */
  readonly platform?: Platform;
  /** The file system; `undefined`: an empty one. */
  root: Vertex | undefined;
  execution: { -readonly [Key in keyof ExecutionConfig]: ExecutionConfig[Key] };
  author: string;
  /** Declared arguments that have a value, but for those that a later `ENV` has set. */
  readonly args: Map<string, string>;
  /** Of those that are no variables. */
  readonly scanArgs: Map<string, string>;
  /** All that are declared. */
  readonly declared: Set<string>;
  readonly history: PlannedHistory[];
  /** `CMD` was given in this stage: it outlives an `ENTRYPOINT`. */
  ownCmd: boolean;
  readonly steps: Step[];
}

export function createStage(options: {
  readonly name: string;
  readonly index: number;
  readonly base?: { readonly config: ImageConfig };
  readonly platform?: Platform | undefined;
  readonly root?: Vertex;
}): Stage {
  const { base, name, index, platform } = options;
  return {
    name,
    index,
    ...(base && { base }),
    ...(platform && { platform }),
    root: options.root,
    execution: base === undefined ? emptyExecution() : withPath(base.config.execution),
    author: base?.config.author ?? "",
    args: new Map(),
    scanArgs: new Map(),
    declared: new Set(),
    history: [...(base?.config.history ?? [])],
    ownCmd: false,
    steps: [],
  };
}

/** A stage that goes on where another one ended. */
export function continueStage(
  before: Stage,
  {
    platform = before.platform,
    ...options
  }: {
    readonly name: string;
    readonly index: number;
    readonly platform?: Platform | undefined;
  },
): Stage {
  return {
    ...options,
    ...(platform && { platform }),
    ...(before.base && { base: before.base }),
    root: before.root,
    execution: { ...before.execution },
    author: before.author,
    args: new Map(before.args),
    scanArgs: new Map(before.scanArgs),
    declared: new Set(before.declared),
    history: [...before.history],
    ownCmd: false,
    steps: [],
  };
}

/** A stage has a `PATH` always. */
function withPath(execution: ExecutionConfig): ExecutionConfig {
  const { env } = execution;
  if (env.some((text) => text.startsWith("PATH="))) return { ...execution };
  return { ...execution, env: [...env, `PATH=${defaultPath}`] };
}

function emptyExecution(): ExecutionConfig {
  return {
    user: "",
    exposedPorts: [],
    env: [`PATH=${defaultPath}`],
    volumes: [],
    workingDir: "/",
    labels: {},
    stopSignal: "",
  };
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
