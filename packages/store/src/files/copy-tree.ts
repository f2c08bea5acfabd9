import { compileIgnorePatterns, type TarEvent, tarPathBytes } from "@hawser/base";
import { HeldRoot, releaseThread } from "@hawser/linux";
import { LayerWriter } from "../layers/layer-writer.ts";
import { folderAt, statFile } from "./file-stat.ts";
import type { CopyJob, FilesRoot, NewFolder } from "./files-job.ts";
import { modeChange } from "./symbolic-mode.ts";
import { plainEntry, treeEvents } from "./tree-events.ts";

/**
 * Copy a file or folder of another root into this confined thread's own, which it has again at the end: what is there is joined, a file
 * takes the place of a file. The thread goes from root to root, so each path is resolved in the one that it is of.
 *
 * @throws {Fault} `not-found`, `invalid-argument`; what came before stays
 */
export function copyTree(job: CopyJob, confine: (root: FilesRoot) => void): void {
  using target = new HeldRoot();
  const writer = new LayerWriter({ base: folderAt(job.folder), plain: true, keepBase: true });
  releaseThread();
  confine(job.source);
  using source = new HeldRoot();
  const { path } = statFile(job.path);
  const events = eventsOf(path, job);
  const change = changeOf(job);
  try {
    target.enter();
    for (const folder of job.parents) writer.take(folderEvent(folder));
    for (;;) {
      source.enter();
      const visit = nextVisit(events);
      target.enter();
      if (visit.length === 0) break;
      for (const one of visit) {
        const event = change(one);
        if (event !== undefined) writer.take(event);
      }
    }
    writer.finish();
  } finally {
    writer.close();
  }
}

/** All of the next file whose content is one piece; of a larger one up to its next piece. Empty: there is nothing more. */
function nextVisit(events: Iterator<TarEvent, void, undefined>): readonly TarEvent[] {
  const visit: TarEvent[] = [];
  for (let sizeBytes = 0; ; ) {
    const { value: event } = events.next();
    if (event === undefined) return visit;
    visit.push(event);
    if (event.kind === "entry") sizeBytes = event.entry.sizeBytes;
    if (event.kind === "end") return visit;
    if (event.kind === "data" && event.offset + event.bytes.length !== sizeBytes) return visit;
  }
}

function folderEvent({ path, ...rest }: NewFolder): TarEvent {
  return { kind: "entry", entry: { ...plainEntry, ...rest, type: "directory", path: Buffer.from(path) } };
}

/** What the job does not leave out; a folder that it does comes when something in it has to. */
function* eventsOf(top: string, { place, exclude, shownAs }: CopyJob): Generator<TarEvent, void, undefined> {
  const patterns = compileIgnorePatterns(exclude);
  const shown = (path: string, folder: string) => {
    const below = path.slice(folder === "" ? 0 : folder.length + 1);
    return tarPathBytes(shownAs === "" ? below : `${shownAs}/${below}`).toString();
  };
  const leaveOut = (path: string, isFolder: boolean) => {
    const name = shown(path, top);
    return path !== top && patterns.ignores(name) && !(isFolder && patterns.mayKeepBelow(name));
  };
  const tree = treeEvents({ path: top, name: place, leaveOut });
  if (exclude.length === 0) return yield* tree;
  let waiting: { readonly path: string; readonly events: TarEvent[] }[] = [];
  let isWaiting = false;
  for (const event of tree) {
    if (event.kind === "entry") {
      const path = event.entry.path.toString("latin1");
      waiting = waiting.filter((folder) => path.startsWith(`${folder.path}/`));
      isWaiting = event.entry.type === "directory" && path !== place && patterns.ignores(shown(path, place));
      if (isWaiting) waiting.push({ path, events: [] });
      else {
        for (const { events } of waiting) yield* events;
        waiting = [];
      }
    }
    if (isWaiting) waiting.at(-1)?.events.push(event);
    else yield event;
  }
}

/** What becomes of an event; nothing of that of a folder that is there, or was made on the way: what it was elsewhere does not count. */
function changeOf({ place, isContent, change }: CopyJob): (event: TarEvent) => TarEvent | undefined {
  const { owner, timeNs } = change;
  const changeMode = modeChange(change);
  return (event) => {
    if (event.kind !== "entry") return event;
    const { entry } = event;
    if (isContent && entry.type === "directory" && entry.path.toString("latin1") === place) return undefined;
    const mode = entry.type === "symlink" ? entry.mode : changeMode(entry.mode, entry.type === "directory");
    return { kind: "entry", entry: { ...entry, ...owner, mode, mtimeNs: timeNs ?? entry.mtimeNs } };
  };
}
