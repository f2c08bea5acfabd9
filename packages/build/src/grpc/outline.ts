import type { InstructionNode } from "../dockerfile/parse-dockerfile.ts";
import type { SourceRange } from "../dockerfile/source-range.ts";
import type { BuildPlan } from "../planner/plan-dockerfile.ts";

interface Outlined {
  readonly name: string;
  readonly location: object;
}

/** What a build of a target may be given, as BuildKit tells it (its `frontend/subrequests/outline`). */
export interface Outline {
  readonly name?: string;
  readonly description?: string;
  readonly args?: readonly (Outlined & { readonly description?: string; readonly value?: string })[];
  readonly secrets?: readonly (Outlined & { readonly required?: true })[];
  readonly ssh?: readonly (Outlined & { readonly required?: true })[];
}

/** Of the stages that a plan has: the target's own arguments first, then those of what it needs. */
export function outlineOf({ steps, args }: BuildPlan, text: string): Outline {
  const target = steps.findLast(({ node }) => node.name === "FROM");
  const name = target?.stage.name.toLowerCase();
  const description = target && descriptionOf(text, { name, range: target.node.range });
  const ordered = args
    .toSorted((a, b) => b.stageIndex - a.stageIndex)
    .map((arg) => ({
      name: arg.name,
      ...optional("description", descriptionOf(text, arg)),
      ...optional("value", arg.value),
      location: locationOf(arg.range),
    }));
  const mounts = steps.flatMap(({ vertex, node }) =>
    vertex?.op.kind === "exec" ? vertex.op.mounts.map((mount) => ({ mount, node })) : [],
  );
  const secrets = mounts.flatMap(({ mount, node }) =>
    mount.kind === "secret" || mount.kind === "secret-variable" ? [needed(mount, node)] : [],
  );
  const ssh = mounts.flatMap(({ mount, node }) => (mount.kind === "ssh" ? [needed(mount, node)] : []));
  return {
    ...optional("name", name),
    ...optional("description", description),
    ...(ordered.length > 0 && { args: eachOnce(ordered) }),
    ...(secrets.length > 0 && { secrets: eachOnce(secrets) }),
    ...(ssh.length > 0 && { ssh: eachOnce(ssh) }),
  };
}

/** The same for people. */
export function formatOutline({ name, description, args, secrets, ssh }: Outline): string {
  const about = [
    ...(name || description ? [["TARGET:", name || "(default)"]] : []),
    ...(description ? [["DESCRIPTION:", description]] : []),
  ];
  const given = (args ?? []).map((arg) => [arg.name, arg.value ?? "", arg.description ?? ""]);
  const need = (title: string, all: Outline["secrets"]) =>
    all === undefined
      ? ""
      : table([[title, "REQUIRED"], ...all.map((one) => [one.name, one.required ? "true" : ""])]);
  return [
    table(about, 2),
    given.length === 0 ? "" : table([["BUILD ARG", "VALUE", "DESCRIPTION"], ...given]),
    need("SECRET", secrets),
    need("SSH", ssh),
  ].join("");
}

/** What a comment above an instruction says of a name: `# name what it is for`. */
export function descriptionOf(
  text: string,
  { name, range }: { readonly name: string | undefined; readonly range: SourceRange },
): string | undefined {
  if (!name) return undefined;
  const lines = text.split(/\r?\n/).slice(0, range.firstLine - 1);
  const comments: string[] = [];
  for (let line = lines.pop()?.trim(); line?.startsWith("#") === true; line = lines.pop()?.trim())
    comments.unshift(line.slice(1).trim());
  return comments.find((comment) => comment.startsWith(`${name} `))?.slice(name.length + 1);
}

export function locationOf({ firstLine, lastLine }: SourceRange): object {
  return { ranges: [{ start: { line: firstLine }, end: { line: lastLine } }] };
}

function needed(
  { id, isRequired }: { readonly id: string; readonly isRequired: boolean },
  node: InstructionNode,
) {
  return { name: id, ...(isRequired && { required: true as const }), location: locationOf(node.range) };
}

function eachOnce<T extends Outlined>(all: readonly T[]): readonly T[] {
  const byName = new Map<string, T>();
  for (const one of all) if (!byName.has(one.name)) byName.set(one.name, one);
  return [...byName.values()];
}

function optional<Name extends string>(
  name: Name,
  value: string | undefined,
): { readonly [key in Name]?: string } {
  return value ? ({ [name]: value } as { readonly [key in Name]?: string }) : {};
}

/** Columns as Go's tabwriter sets them, and an empty line. */
function table(rows: readonly (readonly string[])[], gap = 3): string {
  if (rows.length === 0) return "";
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)) + gap);
  const lines = rows.map((row) =>
    row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join(""),
  );
  return `${lines.join("\n")}\n\n`;
}
