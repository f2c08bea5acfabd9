import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openTempDir } from "@hawser/base/testing";
import { root } from "../../tools/tree.ts";
import type { Peer } from "../peer.ts";
import { type Row, type RowContext, timeCommand } from "../row.ts";
import { type Summary, summarize } from "../stats.ts";

const timeoutMs = 300_000;

/** Nothing has changed: a context of 10,000 files, 12 steps. */
export const buildAgain: Row = {
  name: "build-again",
  title: "`build` again, 10,000 files, 12 steps",
  unit: "ms",
  goal: { subject: "hawser-cli", over: { docker: 5, podman: 5 } },
  run: (context) =>
    measureBuilds(context, async (folder) => {
      for (let group = 0; group < 100; group++) {
        await mkdir(join(folder, `src/${group}`), { recursive: true });
        for (let file = 0; file < 100; file++) {
          await writeFile(join(folder, `src/${group}/${file}.txt`), `${group} ${file}\n`.repeat(20));
        }
      }
      const runs = (name: string) => Array.from({ length: 5 }, (_, at) => `RUN echo ${at} > /${name}${at}\n`);
      const steps = ["FROM idle\n", ...runs("before"), "COPY src /src\n", ...runs("after")];
      await writeFile(join(folder, "Dockerfile"), steps.join(""));
      return async () => {};
    }),
};

/** One small file has changed, on top of a large base. */
export const buildChanged: Row = {
  name: "build-changed",
  title: "`build` with one file changed on a base of 1 GB, COPY and RUN",
  unit: "ms",
  goal: { subject: "hawser-cli", over: { docker: 5 } },
  run: (context) =>
    measureBuilds(context, async (folder) => {
      const large = "RUN head -c 1000000000 /dev/zero > /large\n";
      await writeFile(join(folder, "Dockerfile"), `FROM idle\n${large}COPY changing /\nRUN true\n`);
      let count = 0;
      return () => writeFile(join(folder, "changing"), `${count++} ${process.pid}\n`);
    }),
};

/**
 * Builds of one context by all peers in turn.
 *
 * @param prepare writes the context, and gives what is done to it before each build
 * @param args more options of `build`
 */
export async function measureBuilds(
  { peers, rounds = 5, onFailure }: RowContext,
  prepare: (folder: string) => Promise<() => Promise<void>>,
  args: readonly string[] = [],
): Promise<Map<string, Summary>> {
  await using dir = await openTempDir("hawser-bench-builds-");
  const [folder, config] = [join(dir.path, "context"), join(dir.path, "config")];
  for (const path of [folder, config]) await mkdir(path);
  await symlink(join(root, "build/docker-plugins/sid"), join(config, "cli-plugins"));
  const change = await prepare(folder);
  const commandOf = ({ name, client }: Peer) => {
    const buildx = ["env", "DOCKER_BUILDKIT=1", `DOCKER_CONFIG=${config}`];
    const usesBuildx = name === "docker" || name === "hawser";
    return [...(usesBuildx ? buildx : []), ...client, "build", "-q", ...args, folder];
  };
  const values = new Map<string, number[]>();
  // The first round fills the caches, the second one warms.
  for (let round = -2; round < rounds; round++) {
    const order = round % 2 === 0 ? [...peers.values()] : [...peers.values()].toReversed();
    for (const peer of order) {
      await change();
      let took = Infinity;
      try {
        took = timeCommand(commandOf(peer), { timeoutMs });
      } catch (error) {
        onFailure(peer.name, error);
      }
      if (round >= 0) values.set(peer.name, [...(values.get(peer.name) ?? []), took]);
    }
  }
  return new Map([...values].map(([name, list]) => [name, summarize(list)]));
}
