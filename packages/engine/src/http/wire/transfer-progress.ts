import type { ProgressMessage } from "@hawser/api";
import { builtinNotice, type LoadNews } from "../../images/image-service.ts";
import type { PullEvent, PulledLayerNews } from "../../images/pull-image.ts";
import type { PushEvent, PushedLayerNews } from "../../images/push-image.ts";
import type { VolumeCopyEvent } from "../../volumes/volume-archives.ts";

/** What `POST /images/create` says of a step of a pull. */
export function formatPullEvent(event: PullEvent): readonly ProgressMessage[] {
  switch (event.kind) {
    case "pulling":
      return [{ status: `Pulling from ${event.repository}`, id: event.reference }];
    case "layer":
      return formatLayer(shortDigest(event.digest), event.news);
    case "unattested":
      return [{ status: `Its attestations are not kept: ${event.reason}` }];
    case "pulled":
      return [{ status: `Digest: ${event.digest}` }];
    case "finished": {
      const outcome = event.isNew ? "Downloaded newer image for" : "Image is up to date for";
      return [{ status: `Status: ${outcome} ${event.reference}` }];
    }
    case "built-in": {
      const outcome = event.isNew ? "Loaded built-in image for" : "Image is up to date for";
      return [
        { status: builtinNotice(event.reference) },
        { status: `Status: ${outcome} ${event.reference}` },
      ];
    }
  }
}

function formatLayer(id: string, news: PulledLayerNews): readonly ProgressMessage[] {
  switch (news.kind) {
    case "pending":
      return [state("Pulling fs layer", id)];
    case "waiting":
      return [state("Waiting", id)];
    case "exists":
      return [state("Already exists", id)];
    case "downloading":
      return [formatProgress("Downloading", id, news)];
    case "downloaded":
      return [state("Verifying Checksum", id), state("Download complete", id)];
    case "extracting":
      return [formatProgress("Extracting", id, news)];
    case "complete":
      return [state("Pull complete", id)];
  }
}

/** What `POST /images/{name}/push` says of a step. */
export function formatPushEvent(event: PushEvent): readonly ProgressMessage[] {
  switch (event.kind) {
    case "pushing":
      return [{ status: `The push refers to repository [${event.repository}]` }];
    case "layer":
      return [formatPushedLayer(shortDigest(event.diffId), event.news)];
    case "pushed": {
      const { tag, digest, sizeBytes } = event;
      return [
        { status: `${tag}: digest: ${digest} size: ${sizeBytes}` },
        { progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: sizeBytes } },
      ];
    }
  }
}

function formatPushedLayer(id: string, news: PushedLayerNews): ProgressMessage {
  switch (news.kind) {
    case "preparing":
      return state("Preparing", id);
    case "waiting":
      return state("Waiting", id);
    case "pushing":
      return formatProgress("Pushing", id, news);
    case "pushed":
      return state("Pushed", id);
    case "exists":
      return state("Layer already exists", id);
    case "mounted":
      return state(`Mounted from ${news.from}`, id);
  }
}

/** What `POST /images/load` says of a step. */
export function formatLoadNews(news: LoadNews): ProgressMessage {
  switch (news.kind) {
    case "layer":
      return formatProgress("Loading layer", shortDigest(news.diffId), news);
    case "renamed":
      return {
        stream: `The image ${news.reference} already exists, renaming the old one with ID ${news.previousId} to empty string\n`,
      };
    case "loaded":
      return {
        stream:
          news.reference === undefined
            ? `Loaded image ID: ${news.id}\n`
            : `Loaded image: ${news.reference}\n`,
      };
  }
}

/** What an import or a clone of a volume says of itself; at its end the name. */
export function formatVolumeCopy(event: VolumeCopyEvent): readonly ProgressMessage[] {
  if (event.kind === "copied") return [{ status: event.name, aux: { Name: event.name } }];
  return [formatProgress("Copying", event.name, event)];
}

/** `sha256:<64 digits>` as Docker shows it beside a layer. */
function shortDigest(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1).slice(0, 12);
}

function state(status: string, id: string): ProgressMessage {
  return { status, progressDetail: {}, id };
}

function formatProgress(
  status: string,
  id: string,
  bytes: { readonly currentBytes: number; readonly totalBytes: number },
): ProgressMessage {
  const { currentBytes: current, totalBytes: total } = bytes;
  return { status, progressDetail: { current, total }, progress: progressBar(current, total), id };
}

/** Docker's bar, for clients that show it as it is. */
function progressBar(current: number, total: number): string {
  if (total <= 0 || current > total) return formatSize(current);
  const filled = Math.min(50, Math.floor((current / total) * 50));
  const bar = `${"=".repeat(filled)}>`.padEnd(51);
  return `[${bar}] ${formatSize(current).padStart(8)}/${formatSize(total)}`;
}

const units = ["B", "kB", "MB", "GB", "TB"] as const;

/** Four significant digits, decimal units. */
function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}
