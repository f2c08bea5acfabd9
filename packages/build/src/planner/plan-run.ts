import { expandText } from "../dockerfile/expand.ts";
import { invalidAsWhole } from "../dockerfile/faults.ts";
import { Flags } from "../dockerfile/flags.ts";
import { parseHeredocWord } from "../dockerfile/heredoc.ts";
import type { InstructionNode } from "../dockerfile/parse-dockerfile.ts";
import { createVertex, type ExecMount, type ExecOp, type Vertex } from "../plan/vertex.ts";
import type { PlanRequest } from "./build-request.ts";
import { planMount, readMountOptions } from "./plan-mount.ts";
import type { Stage } from "./stage.ts";
import { proxyVariables, type Scope, stageLookup } from "./variables.ts";

export const defaultShell: readonly string[] = ["/bin/sh", "-c"];

/** What another part of the build has: a stage, an image, a context. */
export type FindInput = (
  name: string,
  options?: {
    /** Where it is mounted; absent: files are copied from it. */
    readonly mountedAt?: string;
  },
) => Promise<Vertex | undefined>;

/** What an instruction makes of a stage's file system, and what the image's history says of it. */
export interface PlannedStep {
  readonly root: Vertex;
  readonly createdBy: string;
}

export interface RunContext {
  readonly request: PlanRequest;
  readonly scope: Scope;
  readonly find: FindInput;
  /** Of the user's own files. */
  readonly context: Vertex;
}

/** `RUN`: a process in the stage's file system. */
export async function planRun(node: InstructionNode, stage: Stage, at: RunContext): Promise<PlannedStep> {
  const flags = new Flags(node);
  const network = (flags.text("network") as PlanRequest["network"] | undefined) ?? at.request.network;
  const isPrivileged = flags.text("security") === "insecure";
  const { entitlements } = at.request;
  const needed = [
    ...(network === "host" && at.request.network !== "host" ? ["network.host"] : []),
    ...(isPrivileged ? ["security.insecure"] : []),
  ];
  for (const name of needed)
    if (!entitlements.includes(name)) throw invalidAsWhole(`failed to load LLB: ${name} is not allowed`);
  const inputs: (Vertex | undefined)[] = [stage.root];
  const mounts: ExecMount[] = [];
  for (const text of flags.texts("mount")) {
    const agents = mounts.filter(({ kind }) => kind === "ssh").length;
    const options = readMountOptions(text, { range: node.range, scope: at.scope });
    mounts.push(...(await planMount(options, { range: node.range, inputs, stage, at, agents })));
  }
  const agent = mounts.find(({ kind }) => kind === "ssh");
  const command = commandOf(node, stage);
  const { buildArgs } = at.request;
  const { BUILDKIT_SANDBOX_HOSTNAME: hostname } = buildArgs;
  const op: ExecOp = {
    kind: "exec",
    args: command.args,
    env: [
      ...[...stage.args].map(([name, value]) => `${name}=${value}`),
      ...stage.execution.env.filter((text) => !stage.args.has(text.slice(0, text.indexOf("=")))),
      ...(agent?.kind === "ssh" ? [`SSH_AUTH_SOCK=${agent.target}`] : []),
    ],
    hiddenEnv: proxyVariables(buildArgs),
    workingDir: stage.execution.workingDir || "/",
    user: stage.execution.user,
    network,
    privileged: isPrivileged,
    mounts: [...mounts, ...command.mounts],
    ...(hostname && { hostname }),
    ...foreignPlatform(stage, at.request),
  };
  return { root: createVertex(op, inputs), createdBy: createdByOf(command.args, stage) };
}

/** `RUN |1 version=2 /bin/sh -c make # buildkit`: with all arguments that are declared, and what they are. */
function createdByOf(args: readonly string[], stage: Stage): string {
  const lookup = stageLookup(stage);
  const declared = [...stage.declared].map(
    (name) => `${name}=${lookup(name) ?? stage.scanArgs.get(name) ?? ""}`,
  );
  const count = declared.length === 0 ? [] : [`|${declared.length}`];
  return `${["RUN", ...count, ...declared, ...args].join(" ")} # buildkit`;
}

function foreignPlatform(
  { base, platform }: Stage,
  { platform: target, buildPlatform }: PlanRequest,
): Pick<ExecOp, "foreignPlatform"> {
  const own = base?.config ?? platform ?? target;
  const isSame = own.os === buildPlatform.os && own.architecture === buildPlatform.architecture;
  return isSame ? {} : { foreignPlatform: `${own.os}/${own.architecture}` };
}

/** What is executed: a list as it is, a text by the shell, a text below the instruction as a script. */
function commandOf(
  node: InstructionNode,
  stage: Stage,
): { readonly args: readonly string[]; readonly mounts: readonly ExecMount[] } {
  if (node.isJson && node.args.length === 0)
    throw invalidAsWhole("failed to marshal LLB definition: arguments are required");
  if (node.isJson) return { args: node.args, mounts: [] };
  const shell = stage.execution.shell ?? defaultShell;
  const [text = ""] = node.args;
  const [first, ...others] = node.heredocs;
  if (first === undefined) return { args: [...shell, text], mounts: [] };
  if (parseHeredocWord(text) === undefined || others.length > 0) {
    // The shell knows these texts itself.
    const texts = node.heredocs.map(({ raw, name }) => `\n${raw}${name}`);
    return { args: [...shell, `${text}${texts.join("")}`], mounts: [] };
  }
  if (!first.content.startsWith("#!")) return { args: [...shell, first.content], mounts: [] };
  const target = `/dev/pipes/${first.name}`;
  return { args: [...shell, target], mounts: [{ kind: "text", content: first.content, target }] };
}

/** A text below an instruction, with variables where its name was not quoted. */
export function heredocText(
  { content, expands }: InstructionNode["heredocs"][number],
  options: { readonly scope: Scope },
): string {
  if (!expands) return content;
  // Whatever the directive `escape` says: a backslash, as in a shell.
  return expandText(content, { lookup: options.scope.lookup, escape: "\\" });
}
