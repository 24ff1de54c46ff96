import { table } from '../src/cli/table.ts';

/** One measured thing: ours and a peer's in the same run, and whether more is better. */
export type Comparison = {
  readonly what: string;
  readonly unit: string;
  readonly ours: number;
  readonly peer: string;
  readonly theirs: number;
  readonly better: 'more' | 'less';
};

/** Prints comparisons as a table; the ratio is above 1 where we are better. */
export function report(comparisons: readonly Comparison[]): void {
  const rows = comparisons.map(({ what, unit, ours, peer, theirs, better }) => [
    what,
    `${round(ours)} ${unit}`,
    peer,
    `${round(theirs)} ${unit}`,
    (better === 'more' ? ours / theirs : theirs / ours).toFixed(2),
  ]);
  console.log(table([['WHAT', 'REVEILLE', 'PEER', 'ITS FIGURE', 'RATIO (>1: WE ARE BETTER)'], ...rows]));
}

function round(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1);
}
