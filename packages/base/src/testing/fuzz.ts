import { test } from "node:test";
import fc from "fast-check";
import { Fault, type FaultKind } from "../fault.ts";

/**
 * A property as a test: `check` must hold for whatever comes. Seeded and bounded, so that a run is like the one before;
 * `HAWSER_FUZZ_RUNS=1000000 HAWSER_FUZZ_SEED=7 node --test <file>` is a long one of another kind. A failure tells the
 * smallest value found, its seed and its path.
 */
export function fuzz<T>(
  name: string,
  arbitrary: fc.Arbitrary<T>,
  check: (value: T) => void | Promise<void>,
): void {
  const numRuns = Number(process.env["HAWSER_FUZZ_RUNS"] ?? 1000);
  const seed = Number(process.env["HAWSER_FUZZ_SEED"] ?? 20_260_101);
  test(name, { timeout: numRuns > 1000 ? 86_400_000 : 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(arbitrary, async (value) => await check(value)),
      { numRuns, seed },
    );
  });
}

/** What `work` gives; `undefined` when it refuses with a fault of these kinds. Anything else that it throws is a failure. */
export function orRefused<T>(kinds: readonly FaultKind[], work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Fault && kinds.includes(error.kind)) return undefined;
    throw error;
  }
}

/** Bytes in pieces of any sizes, as a socket gives them. */
export function inPieces(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = Math.max(1, sizes[turn % Math.max(sizes.length, 1)] ?? bytes.length);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
