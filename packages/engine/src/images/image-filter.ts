import { type Filters, matchesLabels } from "@hawser/api";
import { parseGoBool } from "@hawser/base";
import { familiarName, parseReference } from "@hawser/oci";
import type { Image } from "@hawser/store";
import { imageFaults } from "./faults.ts";
import { matchesGlob } from "./glob.ts";

export const imageFilterNames = ["before", "dangling", "label", "reference", "since", "until"] as const;

/**
 * The images that are asked for, newest first. A `reference` filter also takes from each image the names that it does not
 * fit, as dockerd does.
 *
 * @param options.resolve the image of a name; for `before` and `since`
 * @throws {Fault} `invalid-argument` for values, `not-found` for the image that `before` or `since` names.
 */
export function filterImages(
  images: readonly Image[],
  filters: Filters,
  options: { readonly resolve: (name: string) => Image; readonly nowMs: number },
): readonly Image[] {
  const dangling = parseBoolean("dangling", filters.get("dangling"));
  const times = (name: string) =>
    (filters.get(name) ?? []).map((text) => options.resolve(text).createdAt.getTime());
  const before = Math.min(
    ...times("before"),
    ...(filters.get("until") ?? []).map((text) => parseUntil(text, options.nowMs)),
  );
  const since = Math.max(...times("since"));
  const globs = filters.get("reference");
  return images
    .filter((image) => {
      const created = image.createdAt.getTime();
      return (
        (dangling === undefined || dangling === isDangling(image)) &&
        created < before &&
        created > since &&
        matchesLabels(image.config.execution.labels, filters.get("label"))
      );
    })
    .flatMap((image) => (globs === undefined ? image : keepMatching(image, globs)))
    .toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
}

function isDangling({ names, repoDigests }: Image): boolean {
  return names.length === 0 && repoDigests.length === 0;
}

function keepMatching(image: Image, globs: readonly string[]): readonly Image[] {
  const fits = (name: string) =>
    globs.some((glob) => {
      const found = [name, familiarName(parseReference(name))].map((text) => matchesGlob(glob, text));
      if (found.includes(undefined)) throw imageFaults.FILTER_VALUE("reference", glob);
      return found.includes(true);
    });
  const names = image.names.filter(fits);
  const repoDigests = image.repoDigests.filter(fits);
  return names.length === 0 && repoDigests.length === 0 ? [] : [{ ...image, names, repoDigests }];
}

function parseBoolean(name: string, values: readonly string[] | undefined): boolean | undefined {
  const [value] = values ?? [];
  if (value === undefined) return undefined;
  const parsed = parseGoBool(value);
  if (parsed === undefined) throw imageFaults.FILTER_VALUE(name, value);
  return parsed;
}

/** `24h`, `1h30m`: that long ago; or seconds since 1970; or a date. */
function parseUntil(text: string, nowMs: number): number {
  if (/^\d{1,12}(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (/^(\d+(\.\d+)?(ms|h|m|s))+$/.test(text)) {
    const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
    const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g);
    return (
      nowMs - parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (units[unit ?? ""] ?? 0), 0)
    );
  }
  const date = Date.parse(text);
  if (Number.isNaN(date)) throw imageFaults.FILTER_UNTIL(text);
  return date;
}
