import { randomBytes } from "node:crypto";
import type { EngineClient, EngineRequest, EngineResponse, QueryValue } from "@hawser/api/client";
import type { TarSource } from "@hawser/base";
import { writeTar } from "@hawser/base";
import { cliFaults } from "../faults.ts";
import { packFolder } from "./build-context.ts";
import type { BuildOrder } from "./send-build.ts";

/**
 * The same build for an engine without `POST /build/local`, Docker's own: its classic API, which can do less.
 *
 * @throws {Fault} `invalid-argument` for what it cannot do
 */
export async function sendClassicBuild(
  client: EngineClient,
  order: BuildOrder,
  request: Pick<EngineRequest, "headers"> & { readonly query: Readonly<Record<string, QueryValue>> },
): Promise<EngineResponse> {
  const asked = [
    order.namedFolders.size > 0 && "--build-context",
    order.secrets.size > 0 && "--secret",
    order.agents.size > 0 && "--ssh",
    order.caches.to.length > 0 && "--cache-to",
    order.outputs.some(({ type }) => type !== "moby") && "--output",
    order.attributes["requestid"] !== undefined && "--call",
    order.locks && "--lock",
    order.pins !== undefined && "--locked",
  ].filter((name) => name !== false);
  if (asked.length > 0) {
    throw cliFaults.OPTIONS_CONFLICT(`${asked.join(", ")}: this engine's classic builder has no such option`);
  }
  const { archive, remote, dockerfile } = contextFor(order);
  const query = { ...request.query, dockerfile, ...(remote !== undefined && { remote }) };
  return await client.send({
    method: "POST",
    path: "/build",
    ...request,
    query,
    ...(archive && { bytes: archive }),
  });
}

function contextFor({ context: { files, source, filename } }: BuildOrder): {
  readonly archive?: AsyncIterable<Uint8Array>;
  readonly remote?: string;
  readonly dockerfile: string;
} {
  if (files.kind === "remote") {
    if (source === undefined) return { remote: files.address, dockerfile: filename };
    throw cliFaults.OPTIONS_CONFLICT("-f: this engine's classic builder takes it from the address only");
  }
  if (files.kind === "archive") return { archive: files.archive, dockerfile: filename };
  // Under a name of no file, which leaves itself out of what is built from.
  const dockerfile = `.dockerfile.${randomBytes(10).toString("hex")}`;
  const text = {
    path: dockerfile,
    type: "file",
    mode: 0o600,
    content: Buffer.from(source?.text ?? ""),
  } as const;
  const ignore = files.kind === "folder" ? files.folder.ignore : [];
  const lines = [...ignore, dockerfile, ".dockerignore"].join("\n");
  const own: readonly TarSource[] = [
    text,
    { path: ".dockerignore", type: "file", mode: 0o644, content: Buffer.from(`${lines}\n`) },
  ];
  return { archive: files.kind === "folder" ? packFolder(files.folder, own) : writeTar(own), dockerfile };
}
