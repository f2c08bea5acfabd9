import type {
  ChownOpt,
  FileAction as DefinedAction,
  FileOp as DefinedFileOp,
  FileActionCopy,
  UserOpt,
} from "../grpc/generated/llb_pb.ts";
import { createVertex, type FileAction, type Owner, type OwnerPart, type Vertex } from "../plan/vertex.ts";
import { invalid } from "./faults.ts";

/** Actions that follow each other in one file system, and so in one layer. */
interface Segment {
  /** What they work on first, then what they take files and names from. */
  readonly inputs: (Vertex | undefined)[];
  readonly actions: FileAction[];
}

/**
 * The results of a file op. Actions name inputs of the op, or by higher numbers results of actions before them; a result that is
 * used once is changed in place, as BuildKit does it, one that is used again, or given, is a layer of its own.
 *
 * @throws {Fault} `invalid-argument`
 */
export function planFile(
  { actions }: DefinedFileOp,
  inputs: readonly (Vertex | undefined)[],
): readonly (Vertex | undefined)[] {
  if (actions.length === 0) throw invalid("a file op has no actions");
  if (actions.length > maxActions) throw invalid(`a file op has more than ${maxActions} actions`);
  const first = inputs.length;
  for (const [at, action] of actions.entries()) {
    for (const number of usedBy(action)) {
      if (number < -1n || number >= first + at) throw invalid(`there is no input ${number} of a file action`);
    }
  }
  const uses = new Map<number, number>();
  const use = (number: bigint) => uses.set(Number(number), (uses.get(Number(number)) ?? 0) + 1);
  const outputs = new Map<number, number>();
  for (const [at, action] of actions.entries()) {
    for (const number of usedBy(action)) if (number >= 0n) use(number);
    if (action.output < 0n) continue;
    const index = Number(action.output);
    if (outputs.has(index)) throw invalid(`a file op gives its result ${index} twice`);
    outputs.set(index, first + at);
    use(BigInt(first + at));
  }
  const segments: Segment[] = [];
  const made = new Map<Segment, Vertex>();
  const resultOf = (number: number): Vertex | undefined => {
    if (number < first) return inputs[number];
    const segment = segments[number - first];
    if (segment === undefined) throw invalid("a file action has no result");
    const there = made.get(segment);
    if (there !== undefined) return there;
    const vertex = createVertex({ kind: "file", actions: segment.actions }, segment.inputs);
    made.set(segment, vertex);
    return vertex;
  };
  for (const [at, action] of actions.entries()) {
    const base = Number(action.input);
    const before = uses.get(base) === 1 ? segments[base - first] : undefined;
    const segment = before ?? { inputs: [resultOf(base)], actions: [] };
    segments[at] = segment;
    const inputOf = (number: bigint) => {
      if (number === action.input) return 0;
      return segment.inputs.push(resultOf(Number(number))) - 1;
    };
    segment.actions.push(planAction(action, inputOf));
  }
  return Array.from({ length: outputs.size }, (_, index) => {
    const number = outputs.get(index);
    if (number === undefined) throw invalid(`a file op does not give its result ${index}`);
    return resultOf(number);
  });
}

const maxActions = 2000;

function usedBy({ input, secondaryInput, action }: DefinedAction): readonly bigint[] {
  const owner = action.case === "rm" ? undefined : action.value?.owner;
  const names = [owner?.user, owner?.group].flatMap((part) =>
    part?.user.case === "byName" && part.user.value.input !== input ? [part.user.value.input] : [],
  );
  return [input, ...(action.case === "copy" ? [secondaryInput] : []), ...names];
}

function planAction(
  { secondaryInput, action }: DefinedAction,
  inputOf: (number: bigint) => number,
): FileAction {
  switch (action.case) {
    case "copy":
      return planCopyAction(action.value, inputOf(secondaryInput), inputOf);
    case "mkfile": {
      const { path, mode, data, owner, timestamp } = action.value;
      const content = Buffer.from(data).toString("base64");
      return { kind: "make-file", path, mode: mode & 0o777, content, ...dress(owner, timestamp, inputOf) };
    }
    case "mkdir": {
      const { path, mode, makeParents: makesParents, owner, timestamp } = action.value;
      return {
        kind: "make-folder",
        path,
        mode: mode & 0o777,
        makesParents,
        ...dress(owner, timestamp, inputOf),
      };
    }
    case "symlink": {
      const { newPath: path, oldPath: target, owner, timestamp } = action.value;
      return { kind: "make-link", path, target, ...dress(owner, timestamp, inputOf) };
    }
    case "rm": {
      const { path, allowNotFound: mayBeMissing, allowWildcard: hasWildcards } = action.value;
      return { kind: "remove", path, mayBeMissing, hasWildcards };
    }
    case undefined:
      throw invalid("a file action is of no known kind");
  }
}

function planCopyAction(
  copy: FileActionCopy,
  input: number,
  inputOf: (number: bigint) => number,
): FileAction {
  if (copy.modeStr !== "" && !/^[0-7]{1,4}$/.test(copy.modeStr) && !isSymbolicMode(copy.modeStr)) {
    throw invalid(`mode ${JSON.stringify(copy.modeStr)} of a copy`);
  }
  return {
    kind: "copy",
    input,
    source: copy.src,
    target: copy.dest,
    ...(copy.modeStr === "" ? copy.mode !== -1 && { mode: copy.mode & 0o7777 } : { modeText: copy.modeStr }),
    followsLinks: copy.followSymlink,
    copiesContent: copy.dirCopyContents,
    unpacks: copy.attemptUnpack,
    makesParents: copy.createDestPath,
    hasWildcards: copy.allowWildcard,
    mayMatchNothing: copy.allowEmptyWildcard,
    include: copy.includePatterns,
    exclude: copy.excludePatterns,
    required: copy.requiredPaths,
    replaces: copy.alwaysReplaceExistingDestPaths,
    ...dress(copy.owner, copy.timestamp, inputOf),
  };
}

/** `u+x,go=r` */
export function isSymbolicMode(text: string): boolean {
  return /^[ugoa]*(?:[-+=][rwxXst]*)+(?:,[ugoa]*(?:[-+=][rwxXst]*)+)*$/.test(text);
}

/** Owner and time; -1 stands for no time. */
function dress(
  owner: ChownOpt | undefined,
  timestamp: bigint,
  inputOf: (number: bigint) => number,
): { readonly owner?: Owner; readonly timeNs?: string } {
  const user = partOf(owner?.user, inputOf);
  const group = partOf(owner?.group, inputOf);
  return {
    ...(owner && { owner: { ...(user && { user }), ...(group && { group }) } }),
    ...(timestamp !== -1n && { timeNs: String(timestamp) }),
  };
}

function partOf(part: UserOpt | undefined, inputOf: (number: bigint) => number): OwnerPart | undefined {
  switch (part?.user.case) {
    case "byId":
      return { id: part.user.value };
    case "byName": {
      const { name, input } = part.user.value;
      if (input < 0n) throw invalid(`there is no input ${input} with the names of users`);
      return { name, input: inputOf(input) };
    }
    case undefined:
      return undefined;
  }
}
