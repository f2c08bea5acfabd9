import type { BuildContextOfClient, StepTold } from "@hawser/build/grpc";
import { formatPlatform, type Platform } from "@hawser/oci";
import type { PullEvent } from "../../images/pull-image.ts";
import type { ShowImage } from "../build-images.ts";

/**
 * Show where a Dockerfile's images come from, each once, with what is pulled of it as BuildKit shows layers.
 *
 * @param options.platform said where there are several builds of one Dockerfile
 */
export function showImages(
  progress: BuildContextOfClient["progress"],
  { platform }: { readonly platform?: Platform | undefined },
): ShowImage {
  const prefix = platform === undefined ? "internal" : `${formatPlatform(platform)} internal`;
  const shown = new Set<string>();
  return async (name, look) => {
    if (shown.has(name)) return await look(() => {});
    shown.add(name);
    return await progress.step(`[${prefix}] load metadata for ${name}`, async (step) => {
      const sizes = new Map<string, number>();
      return await look((event) => tellPull(event, step, sizes));
    });
  };
}

/** @param sizes of the layers that were told of */
function tellPull(event: PullEvent, step: StepTold, sizes: Map<string, number>): void {
  if (event.kind !== "layer") return;
  const { digest, news } = event;
  const whole = () => {
    const total = sizes.get(digest) ?? 0;
    return { current: total, total, isDone: true };
  };
  switch (news.kind) {
    case "downloading":
    case "extracting": {
      const { currentBytes: current, totalBytes: total } = news;
      sizes.set(digest, total);
      step.status(news.kind === "downloading" ? digest : `extracting ${digest}`, { current, total });
      break;
    }
    case "downloaded":
      step.status(digest, whole());
      break;
    case "complete":
      step.status(`extracting ${digest}`, whole());
      break;
    case "exists":
    case "pending":
    case "waiting":
  }
}
