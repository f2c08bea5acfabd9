import { execFile } from "node:child_process";
import { createReadStream, statSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type TarSource, writeTar } from "@hawser/base";
import { build } from "esbuild";
import { root } from "../../tools/tree.ts";

/** The files of an image that has `front-end-program.ts`: that, and Node with the libraries that it needs. */
export async function frontEndArchive(): Promise<AsyncIterable<Uint8Array>> {
  const bundled = await build({
    entryPoints: [join(root, "test/images/front-end-program.ts")],
    bundle: true,
    platform: "node",
    format: "esm",
    write: false,
  });
  const program = bundled.outputFiles[0]?.contents ?? new Uint8Array();
  const { stdout } = await promisify(execFile)("ldd", [process.execPath]);
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].flatMap(([, path]) => path ?? []);
  const files = [process.execPath, ...libraries];
  const entries = await Promise.all(
    files.map(async (path, at): Promise<TarSource> => {
      const real = await realpath(path);
      const content = { sizeBytes: statSync(real).size, open: () => createReadStream(real) };
      return { path: at === 0 ? "node" : path.slice(1), type: "file", mode: 0o755, content };
    }),
  );
  return writeTar([...entries, { path: "front-end.mjs", type: "file", mode: 0o644, content: program }]);
}
