import type { MessageInitShape } from "@bufbuild/protobuf";
import { imageOfSource, readPlatform } from "../llb/plan-source.ts";
import { protocolFaults } from "./faults.ts";
import type {
  ResolveImageConfigRequest,
  ResolveImageConfigResponseSchema,
  ResolveSourceMetaRequest,
  ResolveSourceMetaResponseSchema,
} from "./generated/gateway_pb.ts";
import type { BuildWork, NamedResult } from "./ports.ts";

/** What an image's configuration is. @throws {Fault} as `BuildWork.planImage` */
export async function resolveImageConfig(
  work: BuildWork,
  { ref, platform, resolveMode }: ResolveImageConfigRequest,
): Promise<MessageInitShape<typeof ResolveImageConfigResponseSchema>> {
  const { digest = "", config } = await resolveImage(work, ref, { platform, resolveMode });
  return { ref, digest, config };
}

/** What is known of a source before it is used: of an image its configuration. @throws {Fault} as `BuildWork.planImage` */
export async function resolveSource(
  work: BuildWork,
  { source, platform, resolveMode }: ResolveSourceMetaRequest,
): Promise<MessageInitShape<typeof ResolveSourceMetaResponseSchema>> {
  if (source === undefined) throw protocolFaults.FRONTEND_FAILED("a source without identifier");
  const name = imageOfSource(source);
  if (name === undefined) return { source };
  const mode = resolveMode || (source.attrs["image.resolvemode"] ?? "");
  const { digest = "", config } = await resolveImage(work, name, { platform, resolveMode: mode });
  return { source, image: { digest, config } };
}

async function resolveImage(
  work: BuildWork,
  name: string,
  {
    platform,
    resolveMode,
  }: { readonly platform: Parameters<typeof readPlatform>[0]; readonly resolveMode: string },
): Promise<NamedResult> {
  const wanted = readPlatform(platform);
  return await work.planImage(name, { ...(wanted && { platform: wanted }), pull: resolveMode === "pull" });
}
