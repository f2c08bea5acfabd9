import { type ContainerConfig, mergeImageConfig } from "@hawser/runtime";
import { type Image, readFiles } from "@hawser/store";
import type { Collaborators } from "./collaborators.ts";
import { type Container, commandOf } from "./container.ts";
import { containerFaults } from "./faults.ts";
import { enginesOwnFiles } from "./files-root.ts";
import { pauseContainer, unpauseContainer } from "./pause.ts";
import { publishContainerEvent } from "./publish-event.ts";

export interface CommitRequest {
  /** What the image is to do; where it is silent the container's own configuration counts. */
  readonly config: ContainerConfig;
  /** Name for the image, perhaps with a tag. */
  readonly reference?: string;
  readonly author: string;
  readonly message: string;
  /** Let a running container stand still meanwhile. */
  readonly pause: boolean;
  readonly signal: AbortSignal;
}

/**
 * Make an image of a container: its image's layers, and what it has written as one more. What it mounts is no part of that.
 *
 * @throws {Fault} `invalid-argument` for the name, `conflict` when the container is removed meanwhile
 */
export async function commitContainer(
  collaborators: Collaborators,
  container: Container,
  request: CommitRequest,
): Promise<Image> {
  const { images, events, snapshots, index } = collaborators;
  const { author, message, reference, signal } = request;
  const pauses = request.pause && container.record.state.status === "running";
  if (pauses) await pauseContainer(collaborators, container);
  try {
    const { record } = container;
    const merged = mergeImageConfig(request.config, record.config);
    const written = async function* () {
      const root = { kind: "folder", path: snapshots.get(record.id).upper } as const;
      yield* readFiles(root, { kind: "layer", leaveOut: enginesOwnFiles }, { signal });
      // Its folder may have been emptied under the reader.
      if (index.find(record.id) !== container) throw containerFaults.CONTAINER_BEING_REMOVED(record.id);
    };
    const image = await images.commit(written(), {
      parent: record.imageId,
      execution: executionOf(merged),
      author,
      message,
      createdBy: commandOf(record.config).join(" "),
      ...(reference !== undefined && { reference }),
      signal,
    });
    publishContainerEvent(events, container, "commit", {
      comment: message,
      imageID: image.id,
      imageRef: reference === undefined ? "" : (image.names[0] ?? ""),
    });
    return image;
  } finally {
    if (pauses && container.record.state.status === "paused")
      await unpauseContainer(collaborators, container);
  }
}

/** What an image keeps of a container's configuration. */
function executionOf(config: ContainerConfig) {
  const { user, exposedPorts, env, cmd, entrypoint, volumes, workingDir, labels, stopSignal } = config;
  const { healthcheck, argsEscaped, shell, onBuild } = config;
  return {
    user,
    exposedPorts,
    env,
    volumes,
    workingDir,
    labels,
    stopSignal,
    ...(cmd && { cmd }),
    ...(entrypoint && { entrypoint }),
    ...(healthcheck && { healthcheck }),
    ...(argsEscaped && { argsEscaped }),
    ...(shell && { shell }),
    ...(onBuild && { onBuild }),
  };
}
