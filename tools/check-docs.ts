import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { listFiles, root } from "./tree.ts";

/**
 * One line per promise of the documentation that the tree does not keep: a link or a back-quoted path that is gone, a
 * `path#symbol` that the file no longer has, a dependency without its line in docs/dependencies.md.
 */
export function checkDocs(): string[] {
  const problems: string[] = [];
  for (const file of listFiles((path) => path.endsWith(".md"))) {
    const text = readFileSync(join(root, file), "utf8");
    for (const [, target = ""] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target) || existsSync(join(root, dirname(file), target))) continue;
      problems.push(`${file}: link to ${target}, which does not exist`);
    }
    for (const [, path = "", symbol] of text.matchAll(pathPattern)) {
      if (!existsSync(join(root, path))) problems.push(`${file}: names ${path}, which does not exist`);
      else if (
        symbol !== undefined &&
        !new RegExp(`\\b${symbol}\\b`).test(readFileSync(join(root, path), "utf8"))
      ) {
        problems.push(`${file}: names ${symbol} in ${path}, which does not have it`);
      }
    }
  }
  return [...problems, ...undocumentedDependencies()];
}

/** Back-quoted paths from the top of the tree, with an optional symbol: `packages/base/src/fault.ts#Fault`. */
const pathPattern = /`((?:packages|native|tools|test|bench|docs)\/[\w./-]+\.\w+)(?:#(\w+))?`/g;

function undocumentedDependencies(): string[] {
  const page = join(root, "docs/dependencies.md");
  const text = existsSync(page) ? readFileSync(page, "utf8") : "";
  const names = new Set<string>();
  for (const file of listFiles((path) => path.endsWith("package.json"))) {
    const manifest = JSON.parse(readFileSync(join(root, file), "utf8")) as Record<
      string,
      Record<string, string>
    >;
    for (const key of ["dependencies", "devDependencies", "optionalDependencies"]) {
      for (const name of Object.keys(manifest[key] ?? {})) names.add(name);
    }
  }
  return [...names]
    .filter((name) => !name.startsWith("@hawser/") && !text.includes(`\`${name}\``))
    .map((name) => `docs/dependencies.md: no line for ${name}`);
}
