/** A figure of several rounds. */
export type Spread = { readonly median: number; readonly low: number; readonly high: number };

/** Whether the run is to take 3 minutes: fewer and shorter rounds. */
export const QUICK = process.env.BENCH_QUICK === '1';

/** `full` in a full run, `quick` in a quick one. */
export function length(full: number, quick: number): number {
  return QUICK ? quick : full;
}

/** The median of some figures with the lowest and the highest. */
export function spread(figures: readonly number[]): Spread {
  const sorted = figures.toSorted((a, b) => a - b);
  const [low = Number.NaN] = sorted;
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  const lower = sorted.length % 2 === 1 ? upper : (sorted[middle - 1] ?? Number.NaN);
  return { median: (lower + upper) / 2, low, high: sorted.at(-1) ?? Number.NaN };
}

/**
 * Measures several sides in turns, so that what else the machine does meets all of them: each once in each round, the order turned round in every other one. Gives what
 * each measured, in the order of `sides`.
 */
export async function alternate<Side, Figure>(
  rounds: number,
  sides: readonly Side[],
  measure: (side: Side, round: number) => Promise<Figure>,
): Promise<Figure[][]> {
  const figures: Figure[][] = sides.map(() => []);
  for (let round = 0; round < rounds; round++) {
    const order = [...sides.entries()];
    for (const [index, side] of round % 2 === 0 ? order : order.reverse())
      figures[index]?.push(await measure(side, round));
  }
  return figures;
}
