import { constants } from "node:os";
import type { ContainerSummary, ImageSummary, NetworkInspect, VolumeListResponse } from "@hawser/api";
import type { EngineClient, EngineRequest } from "@hawser/api/client";
import { ContextStore } from "../contexts/context-store.ts";
import type { Session } from "../session.ts";

/** Where words come from that a command may be given. */
export type Source =
  | "containers"
  | "running"
  | "stopped"
  | "paused"
  | "images"
  | "networks"
  | "volumes"
  | "objects"
  | "contexts"
  | "signals"
  | "environment"
  | "files"
  | "folders"
  | "nothing"
  | readonly string[];

/** Whoever waits for a word has little patience. */
const patienceMs = 2000;

/** The words of a source; none when the engine is not there: nobody's shell starts one. */
export async function wordsOf(source: Source, session: Session): Promise<readonly string[]> {
  if (typeof source !== "string") return source;
  const ask = <T>(path: string, query: EngineRequest["query"], read: (reply: T) => readonly string[]) =>
    askEngine(session, async (client, signal) =>
      read(await client.json<T>({ method: "GET", path, query: query ?? {}, signal })),
    );
  const containers = (states: readonly string[] | undefined) =>
    ask<readonly ContainerSummary[]>(
      "/containers/json",
      states === undefined ? { all: true } : { filters: JSON.stringify({ status: states }) },
      (found) => found.flatMap(({ Names }) => Names.map((name) => name.replace(/^\//, ""))),
    );
  switch (source) {
    case "containers":
      return await containers(undefined);
    case "running":
      return await containers(["running"]);
    case "stopped":
      return await containers(["created", "exited"]);
    case "paused":
      return await containers(["paused"]);
    case "images":
      return await ask<readonly ImageSummary[]>("/images/json", undefined, (found) =>
        found.flatMap(({ RepoTags }) => RepoTags ?? []).filter((name) => !name.includes("<none>")),
      );
    case "networks":
      return await ask<readonly NetworkInspect[]>("/networks", undefined, (found) =>
        found.map(({ Name }) => Name),
      );
    case "volumes":
      return await ask<VolumeListResponse>("/volumes", undefined, ({ Volumes }) =>
        (Volumes ?? []).map(({ Name }) => Name),
      );
    case "objects": {
      const all = ["containers", "images", "networks", "volumes"] as const;
      return (await Promise.all(all.map((kind) => wordsOf(kind, session)))).flat();
    }
    case "contexts":
      return ["default", ...new ContextStore(session.configDir).list().map(({ name }) => name)];
    case "signals":
      return Object.keys(constants.signals).map((name) => name.replace(/^SIG/, ""));
    case "environment":
      return Object.keys(session.environment);
    default:
      return [];
  }
}

async function askEngine(
  session: Session,
  ask: (client: EngineClient, signal: AbortSignal) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(patienceMs);
  const late = new Promise<readonly string[]>((resolve) =>
    signal.addEventListener("abort", () => resolve([]), { once: true }),
  );
  const asked = async () => ask(await session.connect({ mayStart: false }), signal);
  return await Promise.race([asked().catch(() => []), late]);
}
