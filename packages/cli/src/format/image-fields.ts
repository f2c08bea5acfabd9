import type { ImageSummary } from "@hawser/api";
import { shortId } from "./ellipsis.ts";
import { formatGoTime } from "./go-time.ts";
import { formatHumanDuration, formatHumanSize, formatTableSize } from "./humanize.ts";
import type { Field, ListLayout } from "./list-format.ts";

/** One line of `images`: an image under one of its names. */
export interface ImageRow {
  readonly image: ImageSummary;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

/**
 * The lines of a list of images: one for each name; with `perDigest` one for each digest of a name. A nameless image has one line.
 */
export function imageRows(
  images: readonly ImageSummary[],
  options: { readonly perDigest: boolean },
): readonly ImageRow[] {
  return images.flatMap((image) => rowsOf(image, options.perDigest));
}

const none = "<none>";

function rowsOf(image: ImageSummary, perDigest: boolean): readonly ImageRow[] {
  const tags = groupByName(image.RepoTags ?? [], ":");
  const digests = groupByName(image.RepoDigests ?? [], "@");
  const rows: ImageRow[] = [];
  for (const [repository, ownTags] of tags) {
    const own = perDigest ? (digests.get(repository) ?? []) : [];
    digests.delete(repository);
    for (const tag of ownTags) {
      for (const digest of own.length === 0 ? [none] : own) rows.push({ image, repository, tag, digest });
    }
  }
  for (const [repository, own] of digests) {
    for (const digest of perDigest ? own : [none]) rows.push({ image, repository, tag: none, digest });
  }
  return rows.length === 0 ? [{ image, repository: none, tag: none, digest: none }] : rows;
}

/** `busybox:latest` → `busybox` → `latest`; engines of old name the nameless `<none>:<none>`. */
function groupByName(names: readonly string[], separator: string): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const at = name.lastIndexOf(separator);
    const repository = familiar(name.slice(0, at));
    if (at < 0 || repository === none) continue;
    groups.set(repository, [...(groups.get(repository) ?? []), name.slice(at + 1)]);
  }
  return groups;
}

function familiar(name: string): string {
  return name.replace(/^docker\.io\//, "").replace(/^library\/([^/]+)$/, "$1");
}

/** What `images` can show, with Docker's names, headers and abbreviations. */
export function imageLayout(options: {
  readonly truncate: boolean;
  readonly now: Date;
  readonly showDigests: boolean;
}): ListLayout<ImageRow> {
  const { truncate, now } = options;
  const fields: Readonly<Record<string, Field<ImageRow>>> = {
    ID: { header: "IMAGE ID", value: ({ image }) => (truncate ? shortId(image.Id) : image.Id) },
    Repository: { header: "REPOSITORY", value: ({ repository }) => repository },
    Tag: { header: "TAG", value: ({ tag }) => tag },
    Digest: { header: "DIGEST", value: ({ digest }) => digest },
    CreatedSince: {
      header: "CREATED",
      value: ({ image }) => `${formatHumanDuration(now.getTime() / 1000 - image.Created)} ago`,
    },
    CreatedAt: { header: "CREATED AT", value: ({ image }) => formatGoTime(image.Created) },
    Size: { header: "SIZE", value: ({ image }) => formatTableSize(image.Size) },
    Containers: {
      header: "CONTAINERS",
      value: ({ image }) => (image.Containers === -1 ? "N/A" : String(image.Containers)),
    },
    VirtualSize: { header: "SIZE", value: ({ image }) => formatHumanSize(image.Size) },
    SharedSize: {
      header: "SHARED SIZE",
      value: ({ image }) => (image.SharedSize === -1 ? "N/A" : formatHumanSize(image.SharedSize)),
    },
    UniqueSize: {
      header: "UNIQUE SIZE",
      value: ({ image }) =>
        image.SharedSize === -1 ? "N/A" : formatHumanSize(image.Size - image.SharedSize),
    },
  };
  const digest = options.showDigests ? "{{.Digest}}\t" : "";
  const table = `{{.Repository}}\t{{.Tag}}\t${digest}{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`;
  const raw = `repository: {{.Repository}}\ntag: {{.Tag}}\n${options.showDigests ? "digest: {{.Digest}}\n" : ""}image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n`;
  return { fields, typeName: "*formatter.imageContext", table, raw };
}
