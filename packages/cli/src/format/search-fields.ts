import type { ImageSearchItem } from "@hawser/api";
import { ellipsis } from "./ellipsis.ts";
import type { ListLayout } from "./list-format.ts";

/** What `search` can show, with Docker's names, headers and abbreviations. */
export function searchLayout({ truncate }: { readonly truncate: boolean }): ListLayout<ImageSearchItem> {
  return {
    fields: {
      Name: { header: "NAME", value: ({ name }) => name },
      Description: {
        header: "DESCRIPTION",
        value: ({ description }) => {
          const text = description.replaceAll(/[\n\r]/g, " ");
          return truncate ? ellipsis(text, 45) : text;
        },
      },
      StarCount: { header: "STARS", value: ({ star_count: stars }) => String(stars) },
      IsOfficial: {
        header: "OFFICIAL",
        value: ({ is_official: isOfficial }) => (isOfficial ? "[OK]" : ""),
        json: ({ is_official: isOfficial }) => String(isOfficial),
      },
    },
    typeName: "*registry.searchContext",
    table: "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
  };
}
