/** Figures of one row for one peer; times in milliseconds, memory in bytes. Failures count as infinite. */
export interface Summary {
  readonly count: number;
  readonly failures: number;
  readonly min: number;
  readonly median: number;
  readonly p95: number;
}

export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (fraction: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))] ?? Infinity;
  return {
    count: sorted.length,
    failures: sorted.filter((value) => value === Infinity).length,
    min: sorted[0] ?? Infinity,
    median: at(0.5),
    p95: at(0.95),
  };
}

/**
 * Measure every subject once per round, in an order that turns by one each round, so that a slow spell of the machine
 * falls on all of them. A measurement that throws is infinite, its error goes to `onFailure`. One round more than asked
 * for is run first and thrown away: it warms caches.
 */
export async function interleave<T>(
  subjects: ReadonlyMap<string, T>,
  options: {
    readonly rounds: number;
    readonly measure: (subject: T) => Promise<number> | number;
    readonly onFailure: (name: string, error: unknown) => void;
  },
): Promise<Map<string, Summary>> {
  const values = new Map<string, number[]>([...subjects.keys()].map((name) => [name, []]));
  const names = [...subjects.entries()];
  for (let round = -1; round < options.rounds; round++) {
    for (let index = 0; index < names.length; index++) {
      const [name, subject] = names[(index + round + 1) % names.length] ?? [];
      if (name === undefined || subject === undefined) continue;
      let value = Infinity;
      try {
        value = await options.measure(subject);
      } catch (error) {
        options.onFailure(name, error);
      }
      if (round >= 0) values.get(name)?.push(value);
    }
  }
  return new Map([...values].map(([name, list]) => [name, summarize(list)]));
}
