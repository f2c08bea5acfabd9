import type { NetworkInspect } from "@hawser/api";
import { shortId } from "./ellipsis.ts";
import { formatGoTimestamp } from "./go-time.ts";
import type { ListLayout } from "./list-format.ts";

/** What `network ls` can show, with Docker's names and headers. */
export function networkLayout(options: { readonly truncate: boolean }): ListLayout<NetworkInspect> {
  return {
    fields: {
      ID: { header: "NETWORK ID", value: ({ Id }) => (options.truncate ? shortId(Id) : Id) },
      Name: { header: "NAME", value: ({ Name }) => Name },
      Driver: { header: "DRIVER", value: ({ Driver }) => Driver },
      Scope: { header: "SCOPE", value: ({ Scope }) => Scope },
      IPv4: { header: "IPV4", value: ({ EnableIPv4 }) => String(EnableIPv4 ?? true) },
      IPv6: { header: "IPV6", value: ({ EnableIPv6 }) => String(EnableIPv6) },
      Internal: { header: "INTERNAL", value: ({ Internal }) => String(Internal) },
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
      CreatedAt: { header: "CREATED AT", value: ({ Created }) => formatGoTimestamp(Created) },
    },
    typeName: "*network.networkContext",
    table: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
    raw: "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n",
  };
}
