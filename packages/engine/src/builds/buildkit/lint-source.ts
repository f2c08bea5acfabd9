import { type LintFinding, type LintResult, lintDockerfile, parseDockerfile, withRange } from "@hawser/build";
import { type BuildContextOfClient, type FaultySource, grpcError } from "@hawser/build/grpc";
import { buildFaults } from "../faults.ts";

/** Tell what is most often a mistake. @throws {Fault} `invalid-argument` where the source wants that */
export function lintSource(
  source: FaultySource,
  {
    digest,
    progress,
    ...options
  }: {
    readonly digest: string;
    readonly findings: readonly LintFinding[];
    readonly check: string | undefined;
  } & Pick<BuildContextOfClient, "progress">,
): void {
  let result: LintResult;
  try {
    result = lintDockerfile(parseDockerfile(source.text), source.text, options);
  } catch (error) {
    throw grpcError(error, source);
  }
  progress.warnOf(result.warnings, source, digest);
  const [first] = result.warnings;
  if (result.areErrors && first !== undefined) {
    const words = `lint violation found for rules: ${[...new Set(result.warnings.map(({ rule }) => rule))].join(", ")}`;
    throw grpcError(withRange(buildFaults.LINT_FAILED(words), first.range), source);
  }
}
