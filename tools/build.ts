import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { type Bundle, writeBundle } from "./bundle.ts";
import { root } from "./tree.ts";

/** An ES module's import of it reads every export, one of which loads `undici`: 30 ms of an engine's start. */
const facadeIsDear = ["node:http"];

/** Packages that are CommonJS ask for Node's modules by require. */
const requireBanner =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

interface Program {
  /** The files that users and other programs start. */
  readonly entries: Readonly<Record<string, string>>;
  /** The files that it starts itself, each whole: they are started again and again, and Node's loader takes its time for each file. */
  readonly workers?: Readonly<Record<string, string>>;
  /** Folders that it serves, by their names beside it. */
  readonly served?: Readonly<Record<string, string>>;
  readonly options: BuildOptions & { readonly format: Bundle["format"] };
}

/**
 * Bundle the programs into dist/. The client is one CommonJS file, which Node starts fastest; what it imports with `import()`
 * stays in that file and runs when it is asked for, so a verb pays for its own code only. The others are ES modules, with
 * their workers beside them.
 */
const programs: Readonly<Record<string, Program>> = {
  cli: {
    entries: { main: "packages/cli/src/main.ts", resident: "packages/cli/src/resident/main.ts" },
    options: {
      format: "cjs",
      minify: true,
      plugins: [lazyBuiltins(["node:child_process", "node:crypto", "node:timers/promises"])],
    },
  },
  engine: {
    entries: { main: "packages/engine/src/main.ts", dockerd: "packages/engine/src/dockerd.ts" },
    workers: {
      "stand-in": "packages/engine/src/stand-in.ts",
      "expand-worker": "packages/store/src/layers/expand-worker.ts",
      "layer-worker": "packages/store/src/layers/layer-worker.ts",
      "files-worker": "packages/store/src/files/files-worker.ts",
    },
    options: {
      format: "esm",
      splitting: true, // one engine under two names
      minifyWhitespace: true, // a third of what Node reads and decodes at each start
      plugins: [lazyBuiltins(facadeIsDear)],
      banner: { js: requireBanner },
    },
  },
  registry: {
    entries: { main: "packages/registry/src/server/main.ts" },
    served: { page: "packages/registry/src/server/page" },
    options: {
      format: "esm",
      splitting: true, // the S3 client is a file of its own, which only a registry with a bucket loads
      plugins: [lazyBuiltins(facadeIsDear)],
      banner: { js: requireBanner },
    },
  },
};

for (const [name, { entries, workers = {}, served = {}, options }] of Object.entries(programs)) {
  const files = new Map<string, Uint8Array>();
  for (const shape of [{ entryPoints: entries }, { entryPoints: workers, splitting: false }]) {
    const built = await build({
      ...options,
      ...shape,
      absWorkingDir: root,
      outdir: "/",
      write: false,
      bundle: true,
      platform: "node",
      // Node 24 and what it has natively: nothing is rewritten for older ones
      target: "es2024",
      supported: { using: true },
      sourcemap: "external",
      logLevel: "warning",
    });
    for (const { path, contents } of built.outputFiles) files.set(relative("/", path), contents);
  }
  for (const [folder, from] of Object.entries(served))
    for (const file of readdirSync(join(root, from)))
      files.set(join(folder, file), readFileSync(join(root, from, file)));
  writeBundle(join(root, "dist", name), { format: options.format, entries: Object.keys(entries), files });
}
// Node keeps what it compiled, per version and user: without it the client starts 10 ms later, the engine 60. What is compiled
// lazily is kept as it stands after this first call, so the client is called with what `run` needs: it asks an engine that is
// not there.
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
