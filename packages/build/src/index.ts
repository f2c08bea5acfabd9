export { dockerfileFaults, rangeOf, withRange } from "./dockerfile/faults.ts";
export { formatSourceLines, type SourceRange } from "./dockerfile/source-range.ts";
export { type GitReference, parseGitReference } from "./plan/git-reference.ts";
export type { CopyOp, CopySource, ExecMount, ExecOp, MakeFolderOp, Op, Vertex } from "./plan/vertex.ts";
export type { BaseImage, PlanRequest, ResolveImage } from "./planner/build-request.ts";
export { type BuildPlan, planDockerfile } from "./planner/plan-dockerfile.ts";
export type { PlannedHistory, Step } from "./planner/stage.ts";
export { type OpRun, type OpRunner, type SolveOptions, Solver, type VertexEvent } from "./solver/solver.ts";
