/**
 * The walls: which part of the tree may import which. A layer is a package or a folder of it; the longest match wins.
 * Every layer may import itself and the folders below it. Test files may also import `devModules` and `./testing` doors.
 */
export interface Layer {
  /** Layers this one may import, as path prefixes. */
  readonly imports: readonly string[];
  /** npm packages it may import; each has a line in docs/dependencies.md. */
  readonly modules?: readonly string[];
}

const base = "packages/base";
const oci = "packages/oci";
const api = "packages/api";
const linux = "packages/linux";

export const layers: Readonly<Record<string, Layer>> = {
  "packages/base": { imports: [] },
  "packages/base/src/testing": { imports: ["packages/base"], modules: ["fast-check"] },
  "packages/oci": { imports: [base] },
  "packages/api": { imports: [base, oci] },
  "packages/linux": { imports: [base] },
  "packages/store": { imports: [base, oci, linux] },
  "packages/runtime": { imports: [base, oci, linux], modules: ["@msgpack/msgpack"] },
  "packages/network": { imports: [base, linux], modules: ["dns-packet"] },
  "packages/registry/src/testing": { imports: [] },
  "packages/registry/src/server": {
    imports: [base, oci, linux, "packages/registry/src/client"],
    modules: ["@aws-sdk/client-s3", "bcryptjs", "jose"],
  },
  "packages/registry/src/client": { imports: [base, oci, linux], modules: ["smol-toml"] },
  "packages/build": { imports: [base, oci] },
  "packages/build/src/grpc": {
    imports: [base, oci, "packages/build"],
    modules: ["@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-node"],
  },
  "packages/build/src/llb": { imports: [base, oci, "packages/build"], modules: ["@bufbuild/protobuf"] },
  "packages/build/src/testing": {
    imports: [base, oci, "packages/build"],
    modules: ["@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-node"],
  },
  "packages/build/src/dockerfile": { imports: [base] },
  "packages/build/src/lint": { imports: [base, oci, "packages/build/src/dockerfile"] },
  "packages/build/src/plan": { imports: [] },
  "packages/build/src/solver": { imports: [base, "packages/build/src/plan"] },
  "packages/engine": {
    imports: [
      base,
      oci,
      api,
      linux,
      "packages/store",
      "packages/runtime",
      "packages/network",
      "packages/build",
      "packages/registry/src/client",
      "packages/registry/src/server",
    ],
    modules: ["ws"],
  },
  "packages/cli": { imports: [base, oci, api] },
  tools: { imports: [base, oci, "packages/store"], modules: ["esbuild"] },
  native: { imports: ["packages"] },
  test: {
    imports: ["packages", "tools"],
    modules: [
      "@aws-sdk/client-s3",
      "bcryptjs",
      "dockerode",
      "esbuild",
      "jose",
      "playwright-core",
      "testcontainers",
      "ws",
    ],
  },
  bench: { imports: ["packages", "tools", "test"] },
};

/** npm packages that test files may import. */
export const testModules: readonly string[] = [
  "dockerode",
  "fast-check",
  "playwright-core",
  "tar-stream",
  "testcontainers",
];

/**
 * Node's own modules that only some files may import: the rest of the tree goes through the one door that names the rule
 * (never a shell, one HTTP server, one place for environment).
 */
export const guardedModules: Readonly<Record<string, readonly string[]>> = {
  "node:child_process": [
    "packages/base/src/spawn.ts",
    "packages/base/src/testing/",
    "tools/",
    "test/",
    "bench/",
  ],
  "node:http": [
    "packages/api/src/client/",
    "packages/engine/src/http/",
    "packages/engine/src/volumes/volume-plugin.ts",
    "packages/registry/src/",
    "test/",
    "bench/",
  ],
  "node:http2": [
    "packages/engine/src/http/",
    "packages/build/src/grpc/",
    "packages/cli/src/build/serve-session.ts",
    "test/",
  ],
  "node:sqlite": [
    "packages/engine/src/state/",
    "packages/store/src/database.ts",
    "packages/store/src/keep-room.ts",
    "packages/registry/src/server/registry-index.ts",
  ],
};
