import { posix } from "node:path";
import { goQuote, parseByteSize, parseGoBool } from "@hawser/base";
import { didYouMean } from "../dockerfile/did-you-mean.ts";
import { invalidAt } from "../dockerfile/faults.ts";
import { splitMount } from "../dockerfile/mount-fields.ts";
import type { SourceRange } from "../dockerfile/source-range.ts";
import type { ExecMount, Vertex } from "../plan/vertex.ts";
import type { RunContext } from "./plan-run.ts";
import type { Stage } from "./stage.ts";
import type { Scope } from "./variables.ts";

const sharings = ["shared", "private", "locked"];
const kinds = ["bind", "cache", "tmpfs", "secret", "ssh"] as const;

/** `RUN --mount=type=…,…` as it is written. */
export interface MountOptions {
  readonly kind: (typeof kinds)[number];
  readonly from?: string;
  readonly source?: string;
  readonly target?: string;
  readonly id?: string;
  /** Absent: as its kind has it. */
  readonly readOnly?: boolean;
  readonly required?: boolean;
  readonly sizeBytes?: number;
  readonly sharing?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Of a secret: the variable that has it. */
  readonly env?: string;
}

const names: Readonly<Record<string, string>> = {
  src: "source",
  dst: "target",
  destination: "target",
  ro: "readonly",
  rw: "readwrite",
};
const known = ["type", "from", "source", "target", "readonly", "readwrite", "required"].concat(
  ["size", "id", "sharing", "mode", "uid", "gid", "env"],
  Object.keys(names),
);

/**
 * What nobody knows, or a value that is none, is refused, so that no word that was mistyped is taken for done.
 *
 * @throws {Fault} `invalid-argument` in BuildKit's words
 */
export function readMountOptions(
  text: string,
  { range, scope }: { readonly range: SourceRange; readonly scope: Scope },
): MountOptions {
  const bad = (words: string) => invalidAt(range, words);
  let read: MountOptions = { kind: "bind" };
  for (const field of splitMount(text, range)) {
    const cut = field.indexOf("=");
    const typed = (cut < 0 ? field : field.slice(0, cut)).toLowerCase();
    const name = names[typed] ?? typed;
    if (cut < 0 && !["readonly", "readwrite", "required"].includes(name)) {
      throw bad(`invalid field '${field}' must be a key=value pair`);
    }
    const value = cut < 0 ? "true" : scope.word(field.slice(cut + 1));
    const isTrue = () => {
      const parsed = parseGoBool(value);
      if (parsed === undefined) throw bad(`invalid value for ${typed}: ${value}`);
      return parsed;
    };
    const number = (digits: RegExp, base: number) => {
      const found = digits.test(value) ? Number.parseInt(value, base) : Number.NaN;
      if (found < 2 ** 32) return found;
      throw bad(`invalid value ${value} for ${typed}`);
    };
    const onlyFor = (...wanted: readonly string[]) => {
      if (!wanted.includes(read.kind)) throw bad(`unexpected key '${typed}' for mount type '${read.kind}'`);
    };
    switch (name) {
      case "type": {
        const kind = kinds.find((one) => one === value.toLowerCase());
        if (kind === undefined)
          throw bad(`unsupported mount type ${goQuote(value)}${didYouMean(value, kinds)}`);
        read = { ...read, kind };
        break;
      }
      case "from":
      case "source":
      case "target":
      case "id":
      case "env":
        read = { ...read, [name]: value };
        break;
      case "readonly":
        read = { ...read, readOnly: isTrue() };
        break;
      case "readwrite":
        read = { ...read, readOnly: !isTrue() };
        break;
      case "required":
        onlyFor("secret", "ssh");
        read = { ...read, required: isTrue() };
        break;
      case "size": {
        onlyFor("tmpfs");
        const sizeBytes = parseByteSize(value);
        if (sizeBytes === undefined) throw bad(`invalid value for ${typed}: ${value}`);
        read = { ...read, sizeBytes };
        break;
      }
      case "sharing":
        if (!sharings.includes(value.toLowerCase()))
          throw bad(`unsupported sharing value ${goQuote(value)}${didYouMean(value, sharings)}`);
        read = { ...read, sharing: value.toLowerCase() };
        break;
      case "mode":
        read = { ...read, mode: number(/^[0-7]+$/, 8) };
        break;
      case "uid":
      case "gid":
        read = { ...read, [name]: number(/^\d+$/, 10) };
        break;
      default:
        throw bad(`unexpected key '${typed}' in '${field}'${didYouMean(typed, known)}`);
    }
  }
  return checked(read, bad);
}

function checked(read: MountOptions, bad: (words: string) => Error): MountOptions {
  const { kind, from, source, target, id } = read;
  if (kind === "bind" || kind === "tmpfs") {
    for (const name of ["mode", "uid", "gid"] as const)
      if (read[name] !== undefined) throw bad(`${name} not allowed for ${JSON.stringify(kind)} type mounts`);
  }
  if (kind === "secret") {
    if (from) throw bad("secret mount should not have a from");
    if (read.sharing !== undefined) throw bad("secret mount should not define sharing");
    if (!source && !target && !id) throw bad("invalid secret mount. one of source, target required");
    if (source && id) throw bad("both source and id can't be set");
  }
  if (read.sharing !== undefined && kind !== "cache")
    throw bad(`invalid cache sharing set for ${kind} mount`);
  if (kind === "ssh" && source) throw bad("ssh does not support source");
  return read;
}

/** @throws {Fault} `invalid-argument` */
export async function planMount(
  options: MountOptions,
  where: {
    readonly range: SourceRange;
    /** Those of the op, which get what the mount needs. */
    readonly inputs: (Vertex | undefined)[];
    readonly stage: Stage;
    readonly at: RunContext;
    /** How many ssh agents there are before. */
    readonly agents: number;
  },
): Promise<readonly ExecMount[]> {
  const { inputs, stage, at } = where;
  const { kind, from, source = "/", sizeBytes, sharing, required: isRequired = false } = options;
  const inStage = (path: string) => posix.resolve(stage.execution.workingDir || "/", path);
  const place = () => {
    const target = inStage(options.target ?? "");
    if (target === "/") throw invalidAt(where.range, 'invalid mount target "/"');
    return target;
  };
  const rights = (mode: number) => ({
    mode: options.mode ?? mode,
    uid: options.uid ?? 0,
    gid: options.gid ?? 0,
  });
  switch (kind) {
    case "cache": {
      const target = place();
      if (from) inputs.push(await at.find(from, { mountedAt: options.target ?? "" }));
      return [
        {
          kind,
          id: options.id || target,
          target,
          readOnly: options.readOnly ?? false,
          ...((sharing === "private" || sharing === "locked") && { sharing }),
          ...(from && { files: { input: inputs.length - 1, source } }),
          ...((options.mode ?? options.uid ?? options.gid) !== undefined && { rights: rights(0o755) }),
        },
      ];
    }
    case "tmpfs":
      return [{ kind, target: place(), ...(sizeBytes !== undefined && { sizeBytes }) }];
    case "secret": {
      const { env, target } = options;
      const id = options.id || options.source || posix.basename(target ?? "");
      const file = { kind, id, isRequired, ...rights(0o400) } as const;
      const isFile = env === undefined || Boolean(target);
      return [
        ...(env === undefined ? [] : [{ kind: "secret-variable", id, name: env, isRequired } as const]),
        ...(isFile
          ? [{ ...file, target: target ? inStage(target) : `/run/secrets/${posix.basename(id)}` }]
          : []),
      ];
    }
    case "bind": {
      const target = place();
      inputs.push(from ? await at.find(from, { mountedAt: options.target ?? "" }) : at.context);
      return [{ kind, input: inputs.length - 1, source, target, readOnly: options.readOnly ?? true }];
    }
    case "ssh":
      return [
        {
          kind,
          id: options.id || "default",
          target: options.target ? inStage(options.target) : `/run/buildkit/ssh_agent.${where.agents}`,
          isRequired,
          ...rights(0o600),
        },
      ];
  }
}
