import { posix } from "node:path";
import { compileIgnorePatterns } from "@hawser/base";
import { maxLinks, readLink } from "./resolve-path.ts";
import { namesIn } from "./tree-events.ts";

/** A part of a path: a name, one byte a character, or a pattern of names. */
type Part = { readonly name: string } | { readonly pattern: string };

/**
 * What a list must have so that links in `paths`, perhaps with wildcards, can be followed: the paths, links in them, and what those
 * lead to. Only for a confined thread. What BuildKit's clients do with what they are asked for (fsutil's `FollowLinks`).
 *
 * @returns patterns of `.dockerignore`; `undefined`: all
 */
export function followLinks(paths: readonly string[]): readonly string[] | undefined {
  const found = new Set<string>();
  const visit = (parts: readonly Part[], links: number) => {
    /** Of the parts so far; `undefined`: behind a wildcard, where no link is followed. */
    let folder: string | undefined = "";
    for (const [at, part] of parts.entries()) {
      if (folder === undefined) break;
      const names = "name" in part ? [part.name] : matching(folder, part.pattern);
      for (const name of names) {
        const target = readLink(joined(folder, name));
        if (target === undefined) continue;
        found.add(patternOf(namesOf(joined(folder, name))));
        const aim = namesOf(posix.resolve(`/${folder}`, target));
        if (links < maxLinks) visit([...aim, ...parts.slice(at + 1)], links + 1);
        if ("name" in part) return;
      }
      folder = "name" in part ? joined(folder, part.name) : undefined;
    }
    found.add(patternOf(parts));
  };
  for (const path of paths) visit(partsOf(path), 0);
  return found.has("") ? undefined : [...found];
}

function partsOf(path: string): readonly Part[] {
  const parts = path.split("/").filter((part) => part !== "");
  return parts.map((part) =>
    hasWildcard(part) ? { pattern: part } : { name: Buffer.from(part).toString("latin1") },
  );
}

function namesOf(path: string): readonly Part[] {
  const names = path.split("/").filter((name) => name !== "");
  return names.map((name) => ({ name }));
}

function patternOf(parts: readonly Part[]): string {
  const texts = parts.map((part) =>
    "pattern" in part
      ? part.pattern
      : Buffer.from(part.name, "latin1")
          .toString()
          .replace(/[*?[\\]/g, "\\$&"),
  );
  return texts.join("/");
}

function matching(folder: string, pattern: string): readonly string[] {
  const patterns = compileIgnorePatterns([pattern]);
  return namesIn(folder).filter((name) => patterns.ignores(Buffer.from(name, "latin1").toString()));
}

const hasWildcard = (part: string) => /[*?[\\]/.test(part);

const joined = (folder: string, name: string) => (folder === "" ? name : `${folder}/${name}`);
