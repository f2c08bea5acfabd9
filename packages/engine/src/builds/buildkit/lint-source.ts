import {
  type LintFinding,
  type LintResult,
  lintDockerfile,
  type ParsedDockerfile,
  parseDockerfile,
  parseNodes,
  withRange,
} from "@hawser/build";
import { type BuildContextOfClient, type FaultySource, grpcError } from "@hawser/build/grpc";
import { buildFaults } from "../faults.ts";

/**
 * Tell what is most often a mistake.
 *
 * @param options.failure why the build has failed, which its caller tells: only what was looked for before counts
 * @throws {Fault} `invalid-argument` where the source wants that
 */
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
    readonly failure?: unknown;
  } & Pick<BuildContextOfClient, "progress">,
): void {
  const hasFailed = options.failure !== undefined;
  let result: LintResult;
  try {
    const parsed: ParsedDockerfile = hasFailed ? parseNodes(source.text) : parseDockerfile(source.text);
    result = lintDockerfile(parsed, source.text, options);
  } catch (error) {
    throw grpcError(error, source);
  }
  progress.warnOf(result.warnings, source, digest);
  const [first] = result.warnings;
  if (result.areErrors && first !== undefined && !hasFailed) {
    const words = `lint violation found for rules: ${[...new Set(result.warnings.map(({ rule }) => rule))].join(", ")}`;
    throw grpcError(withRange(buildFaults.LINT_FAILED(words), first.range), source);
  }
}
