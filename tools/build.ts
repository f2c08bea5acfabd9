import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { root } from "./tree.ts";

/** An ES module's import of it reads every export, one of which loads `undici`: 30 ms of an engine's start. */
const facadeIsDear = ["node:http"];

/** Packages that are CommonJS ask for Node's modules by require. */
const requireBanner =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/**
 * Bundle the programs into dist/. The client is one CommonJS file, which Node starts fastest; what it imports with `import()`
 * stays in that file and runs when it is asked for, so a verb pays for its own code only. The others are ES modules, with
 * their workers beside them.
 */
const programs: Readonly<Record<string, BuildOptions>> = {
  cli: {
    entryPoints: {
      main: "packages/cli/src/main.ts",
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
    minifyWhitespace: true, // nearly half of what Node reads and decodes at each start
    plugins: [lazyBuiltins(facadeIsDear)],
    banner: { js: requireBanner },
  },
  registry: {
    entryPoints: { main: "packages/registry/src/server/main.ts" },
    format: "esm",
    splitting: true, // the S3 client is a file of its own, which only a registry with a bucket loads
    plugins: [lazyBuiltins(facadeIsDear)],
    banner: { js: requireBanner },
  },
};

/** Files that users start often. The program is in another file: the cache must be on before it is compiled. */
const cached: Readonly<Record<string, readonly string[]>> = { cli: ["main"], engine: ["main", "dockerd"] };
const programOf = (entry: string) => `${entry}-program`;
const cachingLoaders = {
  cjs: (entry: string) =>
    `"use strict";require("node:module").enableCompileCache(__dirname+"/cache");require("./${programOf(entry)}.js");\n`,
  esm: (entry: string) =>
    `import{enableCompileCache}from"node:module";enableCompileCache(import.meta.dirname+"/cache");await import("./${programOf(entry)}.js");\n`,
};

for (const [name, options] of Object.entries(programs)) {
  const entries = Object.entries(options.entryPoints ?? {}) as [string, string][];
  const loaded = cached[name] ?? [];
  // Made beside and renamed: whoever starts a program meanwhile finds the old one or the new one.
  const finished = join(root, "dist", name);
  const outdir = `${finished}.${process.pid}.new`;
  mkdirSync(outdir, { recursive: true });
  const format = options.format === "cjs" ? "cjs" : "esm";
  const type = format === "cjs" ? "commonjs" : "module";
  writeFileSync(join(outdir, "package.json"), `${JSON.stringify({ type })}\n`);
  for (const entry of loaded) writeFileSync(join(outdir, `${entry}.js`), cachingLoaders[format](entry));
  await build({
    ...options,
    entryPoints: Object.fromEntries(
      entries.map(([entry, path]) => [loaded.includes(entry) ? programOf(entry) : entry, path]),
    ),
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
// Node keeps what it compiled beside the program, per version and user: without it the client starts 10 ms later, the engine
// 60. What is compiled lazily is kept as it stands after this first call, so the client is called with what `run` needs: it
// asks an engine that is not there.
const nowhere = `unix://${join(root, "dist/cli/none.sock")}`;
warm("cli/main.js", ["-H", nowhere, "run", "--rm", "-e", "A=1", "x", "true"]);
warm("engine/main.js", ["--version"]);

function warm(main: string, args: readonly string[]): void {
  spawnSync(process.execPath, ["--", join(root, "dist", main), ...args], { stdio: "ignore" });
}

/** Modules of Node that are loaded at the first use of one of their exports. */
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
