import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { openTempDir } from "@hawser/base/testing";
import { runCommandOk } from "../../test/e2e/kit-process.ts";
import { type Row, type RowContext, timeCommand } from "../row.ts";
import { type Summary, summarize } from "../stats.ts";

const files = 5000;
const fileBytes = 100_000;

/** An archive to an image. Each round has one of its own: ext4 is slow to make files where it has just removed as many. */
export const loadImage: Row = {
  name: "load",
  title: "`load -i` of a 500 MB image of 5,000 files",
  unit: "ms",
  goal: { subject: "hawser", over: { docker: 1.5 } },
  run: (context) =>
    withArchives(context, (client, archive) => timeCommand([...client, "load", "-i", archive])),
};

/** An image to an archive. */
export const saveImage: Row = {
  name: "save",
  title: "`save -o` of the same",
  unit: "ms",
  goal: { subject: "hawser", over: { docker: 1.5 } },
  run: (context) =>
    withArchives(context, (client, archive, image) => {
      timeCommand([...client, "load", "-i", archive]);
      return timeCommand([...client, "save", "-o", `${archive}.saved`, image]);
    }),
};

async function withArchives(
  { peers, rounds = 3, onFailure }: RowContext,
  measure: (client: readonly string[], archive: string, image: string) => number,
): Promise<Map<string, Summary>> {
  await using dir = await openTempDir("hawser-bench-image-");
  const subjects = [...peers.values()].filter(({ name }) => name !== "hawser-cli");
  const values = new Map<string, number[]>(subjects.map(({ name }) => [name, []]));
  const images: string[] = [];
  try {
    for (let round = 0; round < Math.min(rounds, 5); round++) {
      const image = `bench-archive-${round}`;
      const archive = await makeArchive(dir.path, image);
      images.push(image);
      for (const { name, client } of round % 2 === 0 ? subjects : subjects.toReversed()) {
        try {
          values.get(name)?.push(measure(client, archive, image));
        } catch (error) {
          values.get(name)?.push(Infinity);
          onFailure(name, error);
        }
        await rm(`${archive}.saved`, { force: true });
      }
      await rm(archive);
    }
  } finally {
    for (const { client } of subjects) timeCommand([...client, "rmi", "-f", ...images]);
  }
  return new Map([...values].map(([name, list]) => [name, summarize(list)]));
}

/** A Docker archive of one layer, whose files' content does not repeat, made with the system's own tools. */
async function makeArchive(folder: string, image: string): Promise<string> {
  const tree = join(folder, image);
  await mkdir(tree);
  for (let index = 0; index < files; index++) {
    await writeFile(join(tree, `file-${index}`), randomBytes(fileBytes));
  }
  const parts = join(folder, `${image}.parts`);
  await mkdir(parts);
  const layer = join(parts, "layer.tar");
  await runCommandOk(["tar", "-C", tree, "-cf", layer, "."], { timeoutMs: 60_000 });
  await rm(tree, { recursive: true });
  const hash = createHash("sha256");
  await pipeline(createReadStream(layer), hash);
  const config = {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config: { Cmd: ["sh"] },
    rootfs: { type: "layers", diff_ids: [`sha256:${hash.digest("hex")}`] },
  };
  await writeFile(join(parts, "config.json"), JSON.stringify(config));
  const manifest = [{ Config: "config.json", RepoTags: [`${image}:latest`], Layers: ["layer.tar"] }];
  await writeFile(join(parts, "manifest.json"), JSON.stringify(manifest));
  const archive = join(folder, `${image}.tar`);
  await runCommandOk(["tar", "-C", parts, "-cf", archive, "config.json", "layer.tar", "manifest.json"], {
    timeoutMs: 60_000,
  });
  await rm(parts, { recursive: true });
  return archive;
}
