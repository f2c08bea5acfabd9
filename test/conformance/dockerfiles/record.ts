import { createReadStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { readTar } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import type { CommandResult } from "../../e2e/kit-process.ts";
import { listBases } from "./bases.ts";
import { type ImageRecord, readImage } from "./read-image.ts";
import { openContext, type Shape } from "./shapes.ts";

/** A client of docker's grammar, with the engine that it speaks to. */
export type RunClient = (args: readonly string[]) => Promise<CommandResult>;

/** Loads the base images. @returns whether a layer is one of theirs */
export async function loadBases(run: RunClient): Promise<(diffId: string) => boolean> {
  await using dir = await openTempDir("hawser-corpus-bases-");
  const layers = new Set<string>();
  for (const base of await listBases()) {
    const archive = await base.archive();
    const path = join(dir.path, "base.tar");
    await writeFile(path, archive);
    await ok(run, ["load", "--input", path]);
    const [first = "", ...others] = base.names;
    for (const name of others) await ok(run, ["tag", first, name]);
    for (const diffId of await diffIdsOf(path)) layers.add(diffId);
  }
  return (diffId) => layers.has(diffId);
}

/** Builds a shape, and reads what has become of it. `build` is the client's words up to the options. */
export async function recordShape(
  shape: Shape,
  {
    run,
    build,
    isBase,
    syntax,
  }: {
    readonly run: RunClient;
    readonly build: RunClient;
    readonly isBase: (diffId: string) => boolean;
    readonly syntax: boolean;
  },
): Promise<ImageRecord> {
  await using context = await openContext(shape, { syntax });
  await using out = await openTempDir("hawser-corpus-out-");
  const [name, archive] = [`corpus/${shape.name}`, join(out.path, "image.tar")];
  await ok(build, ["build", "-t", name, ...shape.args, context.path]);
  await ok(run, ["save", "--output", archive, name]);
  const record = await readImage(archive, isBase);
  await ok(run, ["rmi", name]);
  return record;
}

/** One line for each entry, so that a change of one is a change of a line. */
export function formatRecord(record: ImageRecord): string {
  return `${JSON.stringify(record, undefined, 1)}\n`;
}

async function ok(run: RunClient, args: readonly string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await run(args);
  if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${args.join(" ")}\n${stderr}${stdout}`);
}

async function diffIdsOf(archive: string): Promise<readonly string[]> {
  const blobs = new Map<string, string>();
  for await (const { entry, data } of readTar(createReadStream(archive))) {
    if (entry.type === "file" && entry.sizeBytes < 1 << 20)
      blobs.set(entry.path.toString(), (await buffer(data)).toString());
  }
  const [manifest] = JSON.parse(blobs.get("manifest.json") ?? "[]") as { readonly Config: string }[];
  const config = JSON.parse(blobs.get(manifest?.Config ?? "") ?? "{}");
  return config.rootfs.diff_ids as readonly string[];
}
