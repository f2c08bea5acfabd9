import { Fault } from "@hawser/base";
import { formatSourceLines, parseDockerfile, parseNodes, rangeOf, reworded } from "@hawser/build";
import { buildFaults } from "./faults.ts";

/** The instruction that a plan has failed at; `undefined`: the Dockerfile as a whole is wrong. */
export function instructionOf(error: unknown, source: string) {
  const range = rangeOf(error);
  if (range === undefined) return undefined;
  try {
    const { instructions } = parseDockerfile(source);
    const steps = instructions.slice(instructions.findIndex(({ name }) => name === "FROM"));
    const at = steps.findIndex((node) => node.range.firstLine === range.firstLine);
    const node = steps[at];
    return node && { at: at + 1, of: steps.length, text: node.text };
  } catch {
    return undefined; // nobody would have begun with it
  }
}

/** Docker's words for what is not even a list of instructions. @throws {Fault} `invalid-argument` */
export function checkSyntax(source: string, name: string): void {
  if (source === "") throw buildFaults.DOCKERFILE_EMPTY(name);
  try {
    parseNodes(source);
  } catch (error) {
    if (!Fault.is(error, "invalid-argument")) throw error;
    throw showSource(reworded(error, `failed to parse Dockerfile: ${error.message}`), { source, name });
  }
}

/** The same fault; where it has a place in the Dockerfile, with the lines. */
export function showSource(
  error: unknown,
  file: { readonly source: string; readonly name: string },
): unknown {
  const range = rangeOf(error);
  if (!Fault.is(error) || range === undefined) return error;
  const lines = formatSourceLines(file.source, { name: file.name, range });
  return new Fault(error.kind, error.code, `${error.message}\n${lines}`).because(error);
}
