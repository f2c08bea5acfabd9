import { judgeDifferences } from "@hawser/base/testing";
import type { ImageRecord } from "./read-image.ts";

/** A difference from dockerd that is meant. */
interface Accepted {
  /** Of the line that `compareRecords` gives, with the shape's name before it. */
  readonly line: RegExp;
  readonly reason: string;
}

/** The list only shrinks: what is on it and does not occur fails the test as well. */
const accepted: readonly Accepted[] = [
  {
    line: /^c-archive: layer [12], .*\/attributed: /,
    reason: "an archive's `user.` attributes stay; dockerd's layers have `security.capability` alone",
  },
  {
    line: /: config history \d+: docker (\{.*)\}, hawser \1,"empty_layer":true\}$/,
    reason: "a step that changes nothing makes no layer here; dockerd keeps an empty one",
  },
];

/** What one has and the other has not, each on its line; of the configuration each field. */
export function compareRecords(docker: ImageRecord, hawser: ImageRecord): string[] {
  const differences: string[] = [];
  const [left, right] = [fieldsOf(docker), fieldsOf(hawser)];
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const [one, other] = [JSON.stringify(left[key]), JSON.stringify(right[key])];
    if (one !== other) differences.push(`config ${key}: docker ${one}, hawser ${other}`);
  }
  const [own, others] = [layersOf(docker), layersOf(hawser)];
  if (own.length !== others.length) differences.push(`layers: docker ${own.length}, hawser ${others.length}`);
  for (let at = 0; at < Math.max(own.length, others.length); at++) {
    const [one, other] = [new Set(own[at]), new Set(others[at])];
    for (const entry of one.difference(other)) differences.push(`layer ${at}, docker alone: ${entry}`);
    for (const entry of other.difference(one)) differences.push(`layer ${at}, hawser alone: ${entry}`);
  }
  return differences;
}

/** Differences that nobody accepted, and reasons that nothing needs. */
export function judge(differences: readonly string[]) {
  const { unexplained, unneeded } = judgeDifferences(differences, accepted, ({ line }, difference) =>
    line.test(difference),
  );
  return { unexplained, unneeded: unneeded.map(({ reason }) => reason) };
}

function fieldsOf({ config }: ImageRecord): Readonly<Record<string, unknown>> {
  const { config: execution, history, ...rest } = config as Readonly<Record<string, object>>;
  return { ...rest, ...execution, ...historyOf(history as readonly object[]) };
}

/** Each step on its own. */
function historyOf(history: readonly object[]): Readonly<Record<string, object>> {
  return Object.fromEntries(history.map((entry, at) => [`history ${at}`, entry]));
}

/** Folders that runc makes, or makes room in, for what it mounts; dockerd leaves them in the layers of `RUN`. */
const ofMounts = new Set(["etc: d 755 0:0", "proc: d 755 0:0", "sys: d 755 0:0"]);

/** Layers that have something in them. What says that a file is gone says so whatever its mode is. */
function layersOf({ layers }: ImageRecord): readonly (readonly string[])[] {
  return layers
    .map((entries) =>
      entries
        .filter((entry) => !ofMounts.has(entry))
        .map((entry) => entry.replace(/^((?:.*\/)?\.wh\.[^/]*): f .*$/, "$1")),
    )
    .filter((entries) => entries.length > 0);
}
