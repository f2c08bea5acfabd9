import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { listFiles, root } from "./tree.ts";

/**
 * One line per promise of the documentation that the tree does not keep: a link or a back-quoted path that is gone, a
 * `path#symbol` that the file no longer has, a dependency without its line in docs/dependencies.md, the product's and the tests' each in their part.
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
  const [product = "", tests = ""] = text.split("\n## For development and tests\n");
  const places = { dependencies: product, optionalDependencies: product, devDependencies: tests };
  const problems = new Set<string>();
  for (const file of listFiles((path) => path.endsWith("package.json"))) {
    const manifest = JSON.parse(readFileSync(join(root, file), "utf8")) as Record<
      string,
      Record<string, string>
    >;
    for (const [key, place] of Object.entries(places)) {
      for (const name of Object.keys(manifest[key] ?? {})) {
        if (!name.startsWith("@hawser/") && !place.includes(`\`${name}\``))
          problems.add(`docs/dependencies.md: no line for ${name} where ${key} are`);
      }
    }
  }
  return [...problems];
}
