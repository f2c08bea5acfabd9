import { execFileSync } from "node:child_process";
import { freemem } from "node:os";
import { join } from "node:path";
import { openTempDir } from "@hawser/base/testing";
import { startRegistry } from "../../test/e2e/kit-registry-program.ts";
import { root } from "../../tools/tree.ts";
import { type LargeImage, makeLargeImage } from "../large-image.ts";
import type { Peer } from "../peer.ts";
import { type Row, type RowContext, timeCommand } from "../row.ts";
import { type Summary, summarize } from "../stats.ts";

const plainBytes = { full: 1900e6, usual: 640e6 };
/** About what the larger of them writes. */
const pulledBytes = 2 ** 31;
const pieceBytes = 2 ** 26;
const timeoutMs = 600_000;
/** In each round: it takes a fiftieth of the time of the whole image, and is less even. */
const changesInRound = 5;
const program = [join(root, "hawser-registry")];

type Measured = "pull" | "pull-changed" | "push" | "push-again";

/** A large image from an empty engine's view: each round's is new to all, and nothing is removed before the end. */
export const transfers: readonly Row[] = [
  transfer("pull", "cold `pull` of 8 gzip layers, 640 MB unpacked (`--full`: 1.9 GB)", {
    docker: 3,
    podman: 3,
  }),
  transfer("pull-changed", "`pull` when the last layer, 5 % of it, changed", { docker: 5 }, "hawser-cli"),
  transfer("push", "`push` of the same to an empty registry", { docker: 2 }),
  transfer("push-again", "the same push once more", {}),
];

/** All four are measured in the same rounds; what a row does not want is kept for the others. Pushes only if one is wanted. */
const measured = new WeakMap<RowContext["peers"], Promise<ReadonlyMap<string, Summary>>>();

function transfer(
  name: Measured,
  title: string,
  over: Readonly<Record<string, number>>,
  subject = "hawser",
): Row {
  return {
    name,
    title,
    unit: "ms",
    goal: { subject, over },
    async run(context) {
      let all = measured.get(context.peers);
      if (all === undefined) {
        all = measureAll(context);
        measured.set(context.peers, all);
      }
      const figures = [...(await all)].filter(([key]) => key.startsWith(`${name} `));
      return new Map(figures.map(([key, summary]) => [key.slice(name.length + 1), summary]));
    },
  };
}

async function measureAll({
  peers,
  wanted,
  full,
  rounds = 3,
  onFailure,
}: RowContext): Promise<Map<string, Summary>> {
  await using dir = await openTempDir("hawser-bench-transfers-");
  await using registry = await startRegistry(dir.path, [], program);
  const image = await makeLargeImage(join(dir.path, "image"), full ? plainBytes.full : plainBytes.usual);
  process.stderr.write(`${image.files} files, ${Math.round(image.compressedBytes / 1e6)} MB compressed\n`);
  const values = new Map<string, number[]>();
  const measure = (what: Measured, peer: Peer, words: readonly string[]) => {
    const key = `${what} ${peer.name}`;
    const plain =
      peer.name === "podman" && ["pull", "push"].includes(words[0] ?? "") ? ["--tls-verify=false"] : [];
    const [verb = "", ...rest] = words;
    let value = Infinity;
    try {
      value = timeCommand([...peer.client, verb, ...plain, ...rest], { timeoutMs });
    } catch (error) {
      onFailure(peer.name, error);
    }
    values.set(key, [...(values.get(key) ?? []), value]);
  };
  const pulled: { readonly peer: Peer; readonly names: readonly string[] }[] = [];
  try {
    // The first round warms caches.
    for (let round = -1; round < Math.min(rounds, 5); round++) {
      const order = round % 2 === 0 ? [...peers.values()] : [...peers.values()].toReversed();
      await using empty = await openTempDir("hawser-bench-empty-");
      // Two clients of one engine: what one has pulled is there for the other.
      for (const each of [order.filter(isOwnClient), order.filter((peer) => !isOwnClient(peer))]) {
        const tag = `${registry.host}/bench/big:${round + 1}${each.some(isOwnClient) ? "-own" : ""}`;
        const names = await pullInTurn(image, { tag, peers: each, measure });
        pulled.push(...each.map((peer) => ({ peer, names })));
        if (!wanted.has("push") && !wanted.has("push-again")) continue;
        for (const peer of each) {
          await using target = await startRegistry(
            join(empty.path),
            ["--data", join(empty.path, peer.name)],
            program,
          );
          const pushed = `${target.host}/bench/big:1`;
          timeCommand([...peer.client, "tag", names[0], pushed]);
          measure("push", peer, ["push", pushed]);
          measure("push-again", peer, ["push", pushed]);
          timeCommand([...peer.client, "rmi", pushed]);
        }
      }
      if (round === -1) values.clear();
    }
  } finally {
    for (const { peer, names } of pulled) timeCommand([...peer.client, "rmi", "-f", ...names], { timeoutMs });
  }
  return new Map([...values].map(([key, list]) => [key, summarize(list)]));
}

function isOwnClient({ name }: Peer): boolean {
  return name === "hawser-cli";
}

/** An image that is new to all, then the same with another last layer, a few times. Returns their names. */
async function pullInTurn(
  image: LargeImage,
  options: {
    readonly tag: string;
    readonly peers: readonly Peer[];
    readonly measure: (what: Measured, peer: Peer, words: readonly string[]) => void;
  },
): Promise<readonly [string, ...string[]]> {
  const { tag: whole, peers, measure } = options;
  if (peers.length === 0) return [whole];
  await image.publish(whole, { fresh: 8 });
  const pull = (what: Measured, peer: Peer, name: string) => {
    settle();
    measure(what, peer, ["pull", name]);
  };
  for (const peer of peers) pull("pull", peer, whole);
  const changed = Array.from({ length: changesInRound }, (_, at) => `${whole}-changed-${at}`);
  for (const [at, name] of changed.entries()) {
    await image.publish(name, { fresh: 1 });
    for (const peer of at % 2 === 0 ? peers : peers.toReversed()) pull("pull-changed", peer, name);
  }
  return [whole, ...changed];
}

/**
 * Wait until what was written before is on the disk, and have so much memory that a pull need not ask for any: a virtual machine may
 * have given what is free back to its host, and then a page costs five times as much as writing to it.
 */
function settle(): void {
  execFileSync("sync");
  const pieces = Math.ceil(Math.min(pulledBytes, freemem() / 4) / pieceBytes);
  const program = `Array.from({ length: ${pieces} }, () => Buffer.alloc(${pieceBytes}, 1))`;
  execFileSync(process.execPath, ["-e", program]);
}
