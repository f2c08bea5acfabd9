import { type EngineClient, type EngineRequest, splitJson } from "@hawser/api/client";
import { Fault } from "@hawser/base";
import { cliFaults } from "../faults.ts";
import type { Session } from "../session.ts";
import { type BuildContext, type ContextFolder, packFolder } from "./build-context.ts";
import { type BuildOutput, receiveOutput } from "./build-output.ts";
import type { ReadSecret } from "./build-secrets.ts";
import { openBuildSession } from "./build-session.ts";
import type { BuildCaches } from "./cache-folders.ts";
import type { LockedSources } from "./lock-file.ts";
import { openLentBlob } from "./oci-folders.ts";
import type { ProgressPrinter } from "./progress/printer.ts";
import { withoutControls } from "./progress/printer.ts";
import type { StatusLine } from "./progress/steps.ts";

/** A build as the engine is asked for it. */
export interface BuildOrder {
  readonly context: BuildContext;
  /** Folders by name. */
  readonly namedFolders: ReadonlyMap<string, ContextFolder>;
  /** OCI layouts that the engine may ask for blobs of, by the names that it has for them. */
  readonly layouts: ReadonlyMap<string, string>;
  readonly attributes: Readonly<Record<string, string>>;
  /** What the build begins with is to be written down. */
  readonly locks: boolean;
  /** What may be used that is not here; absent: anything. */
  readonly pins?: LockedSources;
  /** When the context was committed, seconds since 1970, where that is known. */
  readonly committedAt?: number;
  readonly outputs: readonly BuildOutput[];
  readonly caches: BuildCaches;
  readonly entitlements: readonly string[];
  readonly secrets: ReadonlyMap<string, ReadSecret>;
  readonly agents: ReadonlyMap<string, string>;
  /** Bounds of processes, and who the user is at registries. */
  readonly request: Pick<EngineRequest, "query" | "headers">;
}

export interface SentBuild {
  /** What is told of the result, by BuildKit's names. */
  readonly result: Readonly<Record<string, string>>;
  /** What the build began with; absent: the engine does not tell. */
  readonly sources?: LockedSources;
}

/**
 * Have the engine build (`POST /build/local`). One that sees the folders reads them itself, and only what has changed since the last
 * build. What it has to ask for, secrets, agents, archives, a place for results, it asks over a session, which is opened only when
 * there is such a thing.
 *
 * @throws {Fault} the build's own failure in BuildKit's layout; `not-found` when the engine has no such door
 */
export async function sendBuild(
  session: Session,
  client: EngineClient,
  { order, printer }: { readonly order: BuildOrder; readonly printer: ProgressPrinter },
): Promise<SentBuild> {
  try {
    return await send(session, client, { order, printer, uploads: false });
  } catch (error) {
    // The engine is elsewhere, or in another mount namespace: the folders are not there.
    if (!Fault.is(error, "conflict")) throw error;
    return await send(session, client, { order, printer, uploads: true });
  }
}

async function send(
  session: Session,
  client: EngineClient,
  options: { readonly order: BuildOrder; readonly printer: ProgressPrinter; readonly uploads: boolean },
): Promise<SentBuild> {
  const { order, printer } = options;
  const { files, source, filename } = order.context;
  const folders = new Map(order.namedFolders);
  if (files.kind === "folder") folders.set("context", files.folder);
  const uploads = new Map<string, AsyncIterable<Uint8Array>>();
  if (files.kind === "archive") uploads.set("context", files.archive);
  if (options.uploads) for (const [name, folder] of folders) uploads.set(name, packFolder(folder));
  const isServed =
    uploads.size > 0 ||
    order.secrets.size > 0 ||
    order.agents.size > 0 ||
    order.layouts.size > 0 ||
    order.caches.needsSession ||
    order.outputs.some(({ place }) => place !== undefined);
  using served = isServed
    ? await openBuildSession(client, {
        ...order,
        uploads,
        openBlob: (name) => openLentBlob(order.layouts, name) ?? order.caches.openBlob(name),
        receive: (output, body) =>
          output < order.outputs.length
            ? receiveOutput(session, { place: order.outputs[output]?.place, body })
            : order.caches.receive(output, body),
      })
    : undefined;
  const context =
    files.kind === "remote"
      ? files.address
      : files.kind === "archive"
        ? "http://buildkit-session/context"
        : undefined;
  const told = await client.send({
    ...order.request,
    method: "POST",
    path: "/build/local",
    json: {
      session: served?.id ?? "",
      attributes: { ...order.attributes, filename, ...(context !== undefined && { context }) },
      exporters: order.outputs.map(({ type, attributes }) => ({ Type: type, Attrs: attributes })),
      cacheExports: order.caches.to,
      entitlements: order.entitlements,
      source,
      committedAt: order.committedAt,
      pins: order.pins,
      folders: Object.fromEntries([
        ...(files.kind === "none" ? [["context", {}] as const] : []),
        ...[...folders].map(([name, folder]) => [name, options.uploads ? { upload: name } : folder] as const),
      ]),
    },
  });
  return await follow(told.body, printer);
}

interface BuildLine extends StatusLine, Partial<SentBuild> {
  readonly failure?: { readonly message: string; readonly lines: string };
}

async function follow(body: AsyncIterable<Uint8Array>, printer: ProgressPrinter): Promise<SentBuild> {
  try {
    for await (const text of splitJson(body)) {
      const { result, sources, failure, ...line } = JSON.parse(text) as BuildLine;
      if (result !== undefined) return { result, ...(sources && { sources }) };
      if (failure !== undefined) {
        printer.end();
        throw cliFaults.STREAM_FAILED(failureText(failure, printer));
      }
      printer.take(line);
    }
  } finally {
    printer.end();
  }
  throw cliFaults.STREAM_FAILED("the engine has gone away in the middle of the build");
}

/** What failed: the end of what it printed, the lines of the source that it is about, in words. */
function failureText(
  { message, lines }: NonNullable<BuildLine["failure"]>,
  { failed }: ProgressPrinter,
): string {
  const output = (failed?.lines ?? []).slice(-shownLines);
  const rule = "------";
  const printed = output.map(({ seconds, text }) => `${seconds.toFixed(3)} ${withoutControls(text)}`);
  const log = printed.length === 0 ? [] : [rule, ` > ${failed?.name ?? ""}:`, ...printed, rule];
  return [
    ...log,
    ...(lines === "" ? [] : [lines]),
    `ERROR: failed to build: failed to solve: ${message}`,
  ].join("\n");
}

/** Of what the failed step has printed. */
const shownLines = 100;
