import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { root } from "./tree.ts";

/**
 * Bundle the programs into dist/. The client is one CommonJS file, which Node starts fastest; what it imports with `import()`
 * stays in that file and runs when it is asked for, so a verb pays for its own code only. The engine is started once: plain
 * ES modules, and its worker beside it.
 */
const programs: Readonly<Record<string, BuildOptions>> = {
  cli: { entryPoints: { main: "packages/cli/src/main.ts" }, format: "cjs", minify: true },
  engine: {
    entryPoints: {
      main: "packages/engine/src/main.ts",
      "layer-worker": "packages/store/src/layers/layer-worker.ts",
    },
    format: "esm",
  },
};

for (const [name, options] of Object.entries(programs)) {
  const entries = Object.entries(options.entryPoints ?? {}) as [string, string][];
  const present = entries.filter(([, path]) => existsSync(join(root, path)));
  const outdir = join(root, "dist", name);
  rmSync(outdir, { recursive: true, force: true });
  mkdirSync(outdir, { recursive: true });
  const type = options.format === "cjs" ? "commonjs" : "module";
  writeFileSync(join(outdir, "package.json"), `${JSON.stringify({ type })}\n`);
  await build({
    ...options,
    entryPoints: Object.fromEntries(present),
    absWorkingDir: root,
    outdir,
    bundle: true,
    platform: "node",
    target: "node24",
    sourcemap: "external",
    keepNames: false,
    logLevel: "warning",
  });
}
