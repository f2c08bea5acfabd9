import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

export interface Bundle {
  readonly format: "cjs" | "esm";
  /** Names of the files that users and other programs start. */
  readonly entries: readonly string[];
  /** By their paths in the bundle: `<entry>.js` for each entry, and all that they load. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** A program that runs loads parts of its bundle, and its workers, when it needs them: it finds them beside newer ones. */
const kept = 3;

/**
 * Write a bundle as `<folder>/<digest>/`, and `<folder>/<entry>.js` for each entry, which loads that of the bundle and has Node
 * keep what it compiles in `<digest>/cache`. Whoever starts an entry meanwhile gets the bundle before or this one, whole.
 * Of older bundles the two newest stay.
 */
export function writeBundle(folder: string, { format, entries, files }: Bundle): void {
  const hash = createHash("sha256");
  for (const [path, bytes] of files) hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  const id = hash.digest("hex").slice(0, 16);
  const place = join(folder, id);
  if (!existsSync(place)) {
    const started = `${place}.${process.pid}`;
    for (const [path, bytes] of files) {
      mkdirSync(dirname(join(started, path)), { recursive: true });
      writeFileSync(join(started, path), bytes);
    }
    renameSync(started, place);
  }
  const now = new Date();
  utimesSync(place, now, now);
  const loaders = new Map(
    entries.map((entry) => [`${entry}.js`, formatLoader[format](`${id}/${entry}.js`, id)]),
  );
  loaders.set("package.json", `{"type":"${format === "cjs" ? "commonjs" : "module"}"}\n`);
  for (const [name, text] of loaders) writeWhole(join(folder, name), text);
  const others = readdirSync(folder).filter((name) => !loaders.has(name));
  const ages = new Map(others.map((name) => [name, statSync(join(folder, name)).mtimeMs]));
  const byAge = others.toSorted((a, b) => (ages.get(b) ?? 0) - (ages.get(a) ?? 0));
  for (const name of byAge.slice(kept)) rmSync(join(folder, name), { recursive: true, force: true });
}

/** The program is in another file than this: the cache must be on before it is compiled. */
const formatLoader = {
  cjs: (entry: string, id: string) =>
    `"use strict";require("node:module").enableCompileCache(__dirname+"/${id}/cache");require("./${entry}");\n`,
  esm: (entry: string, id: string) =>
    `import{enableCompileCache}from"node:module";enableCompileCache(import.meta.dirname+"/${id}/cache");await import("./${entry}");\n`,
} as const;

/** A file that has the text already stays as it is: resident clients are known by theirs. */
function writeWhole(path: string, text: string): void {
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  const started = `${path}.${process.pid}`;
  writeFileSync(started, text);
  renameSync(started, path);
}
