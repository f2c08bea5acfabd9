export { type DefinitionPlan, planDefinition, readDefinitionBytes } from "../llb/plan-definition.ts";
export type { AttestationRequests, ProvenanceRequest, SbomRequest } from "./attestations.ts";
export { type BuildOfDockerfile, type BuildServices, createBuildServices } from "./build-services.ts";
export type { ClientSession, SessionTraits } from "./client-session.ts";
export { type SentFile, sendBytes, sendFolder } from "./file-send.ts";
export { listFolder, receiveFolder } from "./file-sync.ts";
export type { DockerfileOptions } from "./frontend-options.ts";
export type { Definition } from "./generated/llb_pb.ts";
export { type FaultySource, grpcError } from "./grpc-error.ts";
export type {
  BuildContainer,
  BuildContextOfClient,
  Builder,
  BuildProcess,
  BuildWork,
  CachePlaceRequest,
  ContainerRequest,
  ExporterRequest,
  KeptResult,
  NamedResult,
  PlannedResult,
  PlatformResult,
  ProcessRequest,
  ResultFile,
} from "./ports.ts";
export type { StepTold } from "./progress.ts";
export type { SessionContent } from "./session-content.ts";
export { shownSteps } from "./shown-steps.ts";
export type { CheckedSource } from "./subrequests.ts";
