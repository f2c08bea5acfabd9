import type { Volume } from "@hawser/api";
import { formatHumanSize } from "./humanize.ts";
import type { ListLayout } from "./list-format.ts";

/** What `volume ls` can show, with Docker's names and headers. */
export const volumeLayout: ListLayout<Volume> = {
  fields: {
    Driver: { header: "DRIVER", value: ({ Driver }) => Driver },
    Name: { header: "VOLUME NAME", value: ({ Name }) => Name },
    Scope: { header: "SCOPE", value: ({ Scope }) => Scope },
    Mountpoint: { header: "MOUNTPOINT", value: ({ Mountpoint }) => Mountpoint },
    Labels: {
      header: "LABELS",
      value: ({ Labels }) =>
        Object.entries(Labels ?? {})
          .map(([name, value]) => `${name}=${value}`)
          .join(","),
    },
    Label: {
      header: "",
      method: true,
      value:
        ({ Labels }) =>
        (name) =>
          typeof name === "string" ? (Labels?.[name] ?? "") : "",
    },
    Links: { header: "LINKS", value: ({ UsageData }) => (UsageData ? String(UsageData.RefCount) : "N/A") },
    Size: { header: "SIZE", value: ({ UsageData }) => (UsageData ? formatHumanSize(UsageData.Size) : "N/A") },
    Availability: { header: "AVAILABILITY", value: () => "N/A" },
    Group: { header: "GROUP", value: () => "N/A" },
    Status: { header: "STATUS", value: () => "N/A" },
  },
  typeName: "*formatter.volumeContext",
  table: "{{.Driver}}\t{{.Name}}",
  raw: "name: {{.Name}}\ndriver: {{.Driver}}\n",
};
