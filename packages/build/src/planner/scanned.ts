import { parseGoBool } from "@hawser/base";
import type { Vertex } from "../plan/vertex.ts";
import { copyOfAll } from "./named-contexts.ts";
import type { Stage } from "./stage.ts";

/** Arguments that say what else a generator of an SBOM looks at. They are no variables. */
const scanArgs = { context: "BUILDKIT_SBOM_SCAN_CONTEXT", stage: "BUILDKIT_SBOM_SCAN_STAGE" } as const;

export const isScanArg = (name: string) => name === scanArgs.context || name === scanArgs.stage;

/** Files that are no part of a result, but of what is said to be in it. */
export interface ScannedFiles {
  /** A stage's name, or `context`. */
  readonly name: string;
  readonly root: Vertex | undefined;
}

/**
 * What is looked at besides the result: of the stages that the target needs those that want it, and the context where the target does.
 * https://github.com/moby/buildkit/blob/master/docs/attestations/sbom-protocol.md, docs of `BUILDKIT_SBOM_SCAN_STAGE`
 *
 * @param options.globals arguments before the first `FROM`
 */
export function scannedFiles(
  stages: readonly Stage[],
  options: {
    readonly target: Stage;
    readonly context: Vertex;
    readonly globals: ReadonlyMap<string, string>;
  },
): readonly ScannedFiles[] {
  const { target, context, globals } = options;
  const wants = (stage: Stage, name: string) => {
    const said = stage.declared.has(name) ? stage.scanArgs.get(name) : undefined;
    return isEnabled(said ?? globals.get(name) ?? "", nameOf(stage));
  };
  const others = stages.filter((stage) => stage !== target && wants(stage, scanArgs.stage));
  return [
    ...(wants(target, scanArgs.context) ? [{ name: "context", root: copyOfAll(context) }] : []),
    ...others.map((stage) => ({ name: nameOf(stage), root: stage.root })),
  ];
}

/** As Go's `strconv.ParseBool`; else names of stages. */
function isEnabled(text: string, stage: string): boolean {
  const isTrue = parseGoBool(text);
  if (isTrue !== undefined) return isTrue;
  return text.split(",").includes(stage);
}

function nameOf({ name, index }: Stage): string {
  return name === "" ? `stage-${index}` : name;
}
