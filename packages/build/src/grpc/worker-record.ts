import type { MessageInitShape } from "@bufbuild/protobuf";
import type { WorkerRecordSchema } from "./generated/worker_pb.ts";
import type { BuilderTraits } from "./ports.ts";

/** A builder as its clients are told of it. */
export function workerRecord(about: BuilderTraits): MessageInitShape<typeof WorkerRecordSchema> {
  return {
    id: about.id,
    labels: { ...about.labels },
    platforms: about.platforms.map(({ os, architecture, variant = "" }) => ({ os, architecture, variant })),
    buildkitVersion: { package: "hawser", version: about.version, revision: "" },
  };
}
