import type { ImageHistoryItem } from "@hawser/api";
import { ellipsis, shortId } from "./ellipsis.ts";
import { formatHumanDuration, formatTableSize } from "./humanize.ts";
import type { ListLayout } from "./list-format.ts";

/** What `history` can show, with Docker's names, headers and abbreviations. */
export function historyLayout(options: {
  readonly truncate: boolean;
  /** Sizes and times as people say them. */
  readonly human: boolean;
  readonly now: Date;
}): ListLayout<ImageHistoryItem> {
  const { truncate, human, now } = options;
  const createdAt = (seconds: number) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
  return {
    fields: {
      ID: { header: "IMAGE", value: ({ Id }) => (truncate ? shortId(Id) : Id) },
      CreatedSince: {
        header: "CREATED",
        value: ({ Created }) =>
          human ? `${formatHumanDuration(now.getTime() / 1000 - Created)} ago` : createdAt(Created),
      },
      CreatedAt: { header: "CREATED AT", value: ({ Created }) => createdAt(Created) },
      CreatedBy: {
        header: "CREATED BY",
        value: ({ CreatedBy }) => {
          const text = CreatedBy.replaceAll("\t", " ");
          return truncate ? ellipsis(text, 45) : text;
        },
      },
      Size: { header: "SIZE", value: ({ Size }) => (human ? formatTableSize(Size) : String(Size)) },
      Comment: { header: "COMMENT", value: ({ Comment }) => Comment },
    },
    typeName: "*image.historyContext",
    table: human
      ? "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
      : "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
  };
}
