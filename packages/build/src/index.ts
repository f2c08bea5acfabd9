export {
  CacheConfig,
  type CacheLayer,
  cacheConfigMediaType,
  formatCacheConfig,
  formatInlineCache,
  maxCacheConfigBytes,
  parseCacheConfig,
  parseInlineCache,
} from "./cache/cache-config.ts";
export { dockerfileFaults, rangeOf, reworded, withRange } from "./dockerfile/faults.ts";
export { readHealthInterval } from "./dockerfile/health-interval.ts";
export { type ParsedDockerfile, parseDockerfile, parseNodes } from "./dockerfile/parse-dockerfile.ts";
export { formatSourceLines, type SourceRange } from "./dockerfile/source-range.ts";
export {
  type LintFinding,
  type LintResult,
  type LintWarning,
  lintDockerfile,
} from "./lint/lint-dockerfile.ts";
export { type GitReference, parseGitReference } from "./plan/git-reference.ts";
export {
  type CopyAction,
  type CopyOp,
  type CopySource,
  createVertex,
  type ExecMount,
  type ExecOp,
  type FileAction,
  type HttpOp,
  type LocalOp,
  type MakeFolderOp,
  type Op,
  type OwnerPart,
  type Vertex,
  verticesBelow,
} from "./plan/vertex.ts";
export type { BaseImage, PlanRequest, ResolveImage } from "./planner/build-request.ts";
export { keepsGitDir } from "./planner/named-contexts.ts";
export { type BuildPlan, planDockerfile } from "./planner/plan-dockerfile.ts";
export { findingsOf } from "./planner/plan-findings.ts";
export type { PlannedHistory, Step } from "./planner/stage.ts";
export { type OpRun, type OpRunner, type SolveOptions, Solver, type VertexEvent } from "./solver/solver.ts";
