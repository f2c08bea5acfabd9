import { readTar, type TarSource, tarSourceOf, writeTar } from "@hawser/base";

/** A layer's archive in which no file is younger than `latestNs`. */
export function clampLayerTimes(
  layer: AsyncIterable<Uint8Array>,
  latestNs: bigint,
): AsyncGenerator<Uint8Array, void, undefined> {
  return writeTar(entries());

  async function* entries(): AsyncGenerator<TarSource, void, undefined> {
    for await (const member of readTar(layer)) {
      const { mtimeNs } = member.entry;
      yield { ...tarSourceOf(member), mtimeNs: mtimeNs > latestNs ? latestNs : mtimeNs };
    }
  }
}

/** A folder of a user's as a layer: whose the files were, and when they were written, is no matter of the build's. */
export function sentFiles(
  archive: AsyncIterable<Uint8Array>,
  epochMs: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  return writeTar(entries());

  async function* entries(): AsyncGenerator<TarSource, void, undefined> {
    for await (const member of readTar(archive)) {
      yield { ...tarSourceOf(member), uid: 0, gid: 0, mtimeNs: BigInt(epochMs) * 1_000_000n };
    }
  }
}
