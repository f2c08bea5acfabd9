import type { ContainerSummary } from "@hawser/api";
import { goQuote } from "@hawser/base";
import { ellipsis, shortId } from "./ellipsis.ts";
import { formatGoTime } from "./go-time.ts";
import { formatHumanDuration, formatTableSize } from "./humanize.ts";
import type { Field, ListLayout } from "./list-format.ts";
import { formatPorts } from "./ports.ts";

/** What `ps` can show, with Docker's names, headers and abbreviations. */
export function containerLayout(options: {
  readonly truncate: boolean;
  readonly now: Date;
  readonly showSize: boolean;
}): ListLayout<ContainerSummary> {
  const { truncate, now } = options;
  const fields: Readonly<Record<string, Field<ContainerSummary>>> = {
    ID: { header: "CONTAINER ID", value: ({ Id }) => (truncate ? shortId(Id) : Id) },
    Names: { header: "NAMES", value: ({ Names }) => formatNames(Names ?? [], truncate) },
    Image: { header: "IMAGE", value: (row) => formatImage(row, truncate) },
    Command: {
      header: "COMMAND",
      value: ({ Command }) => goQuote(truncate ? ellipsis(Command, 20) : Command),
    },
    CreatedAt: { header: "CREATED AT", value: ({ Created }) => formatGoTime(Created) },
    RunningFor: {
      header: "CREATED",
      value: ({ Created }) => `${formatHumanDuration(now.getTime() / 1000 - Created)} ago`,
    },
    Platform: { header: "PLATFORM", value: () => null },
    Ports: { header: "PORTS", value: ({ Ports }) => formatPorts(Ports ?? []) },
    State: { header: "STATE", value: ({ State }) => State },
    Status: { header: "STATUS", value: ({ Status }) => Status },
    Size: { header: "SIZE", value: formatContainerSize },
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
    Mounts: {
      header: "MOUNTS",
      value: ({ Mounts }) =>
        (Mounts ?? [])
          .map(({ Name, Source }) => Name || Source)
          .map((name) => (truncate ? ellipsis(name, 15) : name))
          .join(","),
    },
    LocalVolumes: {
      header: "LOCAL VOLUMES",
      value: ({ Mounts }) => String((Mounts ?? []).filter(({ Driver }) => Driver === "local").length),
    },
    Networks: {
      header: "NETWORKS",
      value: ({ NetworkSettings }) => Object.keys(NetworkSettings?.Networks ?? {}).join(","),
    },
  };
  const table =
    "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}" +
    (options.showSize ? "\t{{.Size}}" : "");
  const raw =
    "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\nstate:{{pad .State 1 0}}\nstatus:{{pad .Status 1 0}}\nnames: {{.Names}}\nlabels:{{pad .Labels 1 0}}\nports:{{pad .Ports 1 0}}\n" +
    (options.showSize ? "size: {{.Size}}\n" : "");
  return { fields, typeName: "*formatter.ContainerContext", table, raw };
}

/** Names without their slash; those that belong to links of other containers only untruncated. */
function formatNames(names: readonly string[], truncate: boolean): string {
  const plain = names.map((name) => name.replace(/^\//, ""));
  return (truncate ? plain.filter((name) => !name.includes("/")) : plain).join(",");
}

function formatImage({ Image, ImageID }: ContainerSummary, truncate: boolean): string {
  if (Image === "") return "<no image>";
  if (!truncate) return Image;
  const id = shortId(ImageID);
  if (id !== "" && id === shortId(Image)) return id;
  return Image.replace(/@sha256:[0-9a-f]{64}$/, "");
}

function formatContainerSize({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
  const own = formatTableSize(SizeRw);
  return SizeRootFs > 0 ? `${own} (virtual ${formatTableSize(SizeRootFs)})` : own;
}
