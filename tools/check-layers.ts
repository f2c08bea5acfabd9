import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { guardedModules, type Layer, layers, testModules } from "./layers.ts";
import { listFiles, root } from "./tree.ts";

const importPattern =
  /^\s*(?:import|export)\b[^"';]*?\bfrom\s*"([^"]+)"|^\s*import\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm;

/** One line per import that goes through a wall. */
export function checkLayers(): string[] {
  const problems: string[] = [];
  for (const file of listFiles((path) => path.endsWith(".ts"))) {
    const layer = layerOf(file);
    if (layer === undefined) {
      problems.push(`${file}: belongs to no layer of tools/layers.ts`);
      continue;
    }
    for (const match of readFileSync(join(root, file), "utf8").matchAll(importPattern)) {
      const specifier = match[1] ?? match[2] ?? match[3] ?? "";
      const problem = checkImport(file, layer, specifier);
      if (problem !== undefined) problems.push(`${file}: ${problem}`);
    }
  }
  return problems;
}

function checkImport(
  file: string,
  [name, layer]: readonly [string, Layer],
  specifier: string,
): string | undefined {
  const isTest = /\.test\.ts$|\/testing\/|^test\/|^bench\//.test(file);
  if (specifier.startsWith("node:")) {
    const allowed = guardedModules[specifier];
    if (allowed === undefined || isTest || allowed.some((prefix) => file.startsWith(prefix)))
      return undefined;
    return `only ${allowed.join(", ")} may import "${specifier}"`;
  }
  if (specifier.startsWith(".")) {
    const target = relative(root, join(root, dirname(file), specifier));
    const own = packageOf(file);
    if (packageOf(target) !== own && target.startsWith("packages/"))
      return `reaches across a package by path: "${specifier}"`;
    const [targetName] = layerOf(target) ?? [];
    if (targetName === undefined || permits(layer, name, targetName)) return undefined;
    return `${name} may not import ${targetName}`;
  }
  if (specifier.startsWith("@hawser/")) {
    const [, packageName = "", ...door] = specifier.split("/");
    const target = `packages/${packageName}`;
    if (door.includes("testing") && !isTest) return `product code may not import "${specifier}"`;
    // A door may lead to a folder that has a layer of its own.
    const inner = [target, "src", ...door].join("/");
    const isPermitted = permits(layer, name, target) || (door.length > 0 && permits(layer, name, inner));
    return isPermitted || isTest ? undefined : `${name} may not import ${inner}`;
  }
  const module = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  if (layer.modules?.includes(module) || (isTest && testModules.includes(module))) return undefined;
  return `${name} may not import the npm package "${module}"`;
}

function permits(layer: Layer, name: string, target: string): boolean {
  if (target === name || target.startsWith(`${name}/`) || name.startsWith(`${target}/`)) return true;
  return layer.imports.some((allowed) => target === allowed || target.startsWith(`${allowed}/`));
}

function packageOf(file: string): string {
  return file
    .split("/")
    .slice(0, file.startsWith("packages/") ? 2 : 1)
    .join("/");
}

function layerOf(file: string): readonly [string, Layer] | undefined {
  let best: readonly [string, Layer] | undefined;
  for (const entry of Object.entries(layers)) {
    if (!file.startsWith(`${entry[0]}/`)) continue;
    if (best === undefined || entry[0].length > best[0].length) best = entry;
  }
  return best;
}
