import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { root } from "./tree.ts";

/** Packages that are CommonJS ask for Node's modules by require. */
const requireBanner =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/**
 * Bundle the programs into dist/. The client is one CommonJS file, which Node starts fastest; what it imports with `import()`
 * stays in that file and runs when it is asked for, so a verb pays for its own code only. The engine is started once: plain
 * ES modules, and its worker beside it.
 */
const programs: Readonly<Record<string, BuildOptions>> = {
  cli: {
    entryPoints: {
      program: "packages/cli/src/main.ts",
      resident: "packages/cli/src/resident/main.ts",
    },
    format: "cjs",
    minify: true,
    plugins: [lazyBuiltins(["node:child_process", "node:crypto", "node:timers/promises"])],
  },
  engine: {
    entryPoints: {
      main: "packages/engine/src/main.ts",
      dockerd: "packages/engine/src/dockerd.ts",
      "stand-in": "packages/engine/src/stand-in.ts",
      "layer-worker": "packages/store/src/layers/layer-worker.ts",
      "files-worker": "packages/store/src/files/files-worker.ts",
    },
    format: "esm",
    splitting: true, // one engine under two names
    banner: { js: requireBanner },
  },
  registry: {
    entryPoints: { main: "packages/registry/src/server/main.ts" },
    format: "esm",
    splitting: true, // the S3 client is a file of its own, which only a registry with a bucket loads
    banner: { js: requireBanner },
  },
};

/** The client's first file: the cache must be on before the program is compiled. */
const cachingLoader = `"use strict";require("node:module").enableCompileCache(__dirname+"/cache");require("./program.js");\n`;

for (const [name, options] of Object.entries(programs)) {
  const entries = Object.entries(options.entryPoints ?? {}) as [string, string][];
  const present = entries.filter(([, path]) => existsSync(join(root, path)));
  // Made beside and renamed: whoever starts a program meanwhile finds the old one or the new one.
  const finished = join(root, "dist", name);
  const outdir = `${finished}.${process.pid}.new`;
  mkdirSync(outdir, { recursive: true });
  const type = options.format === "cjs" ? "commonjs" : "module";
  writeFileSync(join(outdir, "package.json"), `${JSON.stringify({ type })}\n`);
  if (name === "cli") writeFileSync(join(outdir, "main.js"), cachingLoader);
  await build({
    ...options,
    entryPoints: Object.fromEntries(present),
    absWorkingDir: root,
    outdir,
    bundle: true,
    platform: "node",
    // Node 24 and what it has natively: nothing is rewritten for older ones
    target: "es2024",
    supported: { using: true },
    sourcemap: "external",
    logLevel: "warning",
  });
  if (name === "registry")
    cpSync(join(root, "packages/registry/src/server/page"), join(outdir, "page"), { recursive: true });
  const old = `${finished}.${process.pid}.old`;
  if (existsSync(finished)) renameSync(finished, old);
  renameSync(outdir, finished);
  rmSync(old, { recursive: true, force: true });
}
warmClient(join(root, "dist/cli/main.js"));

/**
 * Node keeps what it compiled of the client in dist/cli/cache, per version and user; without it the client starts 10 ms
 * later. What is compiled lazily is kept as it stands after this first call, so that calls what `run` needs: it asks an engine
 * that is not there.
 */
function warmClient(main: string): void {
  const nowhere = `unix://${join(root, "dist/cli/none.sock")}`;
  spawnSync(process.execPath, ["--", main, "-H", nowhere, "run", "--rm", "-e", "A=1", "x", "true"], {
    stdio: "ignore",
  });
}

/** Modules of Node that are loaded at the first use of one of their exports: the client rarely needs these. */
function lazyBuiltins(names: readonly string[]): Plugin {
  const require = createRequire(import.meta.url);
  return {
    name: "lazy-builtins",
    setup(bundler) {
      bundler.onResolve({ filter: /^node:/ }, ({ path, namespace }) =>
        names.includes(path) && namespace !== "lazy-builtin"
          ? { path, namespace: "lazy-builtin" }
          : undefined,
      );
      bundler.onLoad({ filter: /./, namespace: "lazy-builtin" }, ({ path }) => {
        const keys = Object.keys(require(path) as object);
        return {
          contents: `for (const key of ${JSON.stringify(keys)}) Object.defineProperty(exports, key, { enumerable: true, get: () => require(${JSON.stringify(path)})[key] });`,
        };
      });
    },
  };
}
