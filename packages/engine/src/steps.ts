import { existsSync, readFileSync } from "node:fs";
import type { ReachStep } from "@hawser/base";
import { type StoreStep, storeSteps } from "@hawser/store";

/** Every step between two of which the engine may die, the store's included. */
export const engineSteps = [
  ...storeSteps,
  /** A file of the net for a build is there, and is no result. */
  "build.fetched",
  /** What a step of a build copies is in its writable layer. */
  "build.copied",
  /** A step's result is a layer, and no kept result. */
  "build.made",
  "build.noted",
  /** Layers of another builder's result are there, and are no kept result. */
  "build.imported",
  /** A place has all blobs of an image or a build cache, and nothing that names them. */
  "build.sent",
  /** It has what names them, and its client does not know that. */
  "build.named",
  /** A registry has all blobs of an image, and nothing that names them. */
  "push.sent",
  /** It has the manifest, and the engine does not know its digest as a name. */
  "push.named",
  /** Layer and folder of a new container are there. */
  "create.prepared",
  /** Its volumes have what the image has there. */
  "create.filled",
  "create.recorded",
  /** A container's addresses are taken. */
  "start.joined",
  "start.placed",
  "start.published",
  "start.bundled",
  /** The monitor has the order. */
  "start.launched",
  "start.running",
  "start.recorded",
  /** The stop signal is sent. */
  "stop.asked",
  /** A run has ended, and its record does not say so. */
  "exit.told",
  "exit.recorded",
  "exit.released",
  "remove.ended",
  "remove.forgotten",
  /** The run folder is gone, the layer is not. */
  "remove.run-gone",
  "remove.swept",
  /** A new volume's folder is there. */
  "volume.made",
  "volume.recorded",
  /** A removed volume's folder is out of its place, its row is still there. */
  "volume.moved",
  "volume.forgotten",
  /** What a volume stands for is mounted, and nobody runs with it yet. */
  "volume.mounted",
  "volume.unmounted",
  /** A new network has its row, and no bridge. */
  "network.recorded",
  "network.made",
  /** A removed network's bridge is gone, its row is still there. */
  "network.unmade",
  "network.forgotten",
  /** A running container has an interface on one more network, and its record does not say so. */
  "connect.plugged",
  /** Its record says that it is off a network, and the interface is still there. */
  "disconnect.recorded",
] as const;

export type EngineStep = StoreStep | (typeof engineSteps)[number];

export type ReachEngineStep = ReachStep<EngineStep>;

/**
 * End this process, as `kill -9` does, when what stands in the file at `path` is reached: a step, or `<step>:2` for its second
 * time since that stands there. Without a path, or without a file, nothing happens at any.
 */
export function crashAt(path: string | undefined): ReachEngineStep {
  if (path === undefined) return () => {};
  let wanted = "";
  let reached = 0;
  return (step) => {
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    if (text !== wanted) [wanted, reached] = [text, 0];
    const [name, times = "1"] = wanted.split(":");
    if (step !== name) return;
    reached += 1;
    if (reached === Number(times)) process.kill(process.pid, "SIGKILL");
  };
}
