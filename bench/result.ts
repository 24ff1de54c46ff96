import { appendFileSync } from 'node:fs';
import type { Plot } from '../src/storm/plot.ts';
import type { Spread } from './rounds.ts';

/** One measured row. */
export type Result = {
  /** Its name, as in `make bench ONLY=`. */
  readonly row: string;
  readonly what: string;
  readonly unit: string;
  readonly better: 'more' | 'less';
  readonly ours: Spread;
  readonly against:
    | { readonly kind: 'peer'; readonly name: string; readonly figure: Spread; readonly reach: number }
    | { readonly kind: 'bound'; readonly figure: number }
    | { readonly kind: 'nothing' };
  /** What else was seen: drops, processor time, memory. */
  readonly notes?: readonly string[];
};

/** What a bench program hands over: rows, and plots for the page. */
export type Handed =
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'plot'; readonly file: string; readonly plot: Plot };

/** Hands a row to `bench/run.ts`. */
export function hand(result: Result): void {
  give({ kind: 'result', result });
}

/** Hands over a plot, to be written to `bench/plots/FILE.svg`. */
export function handPlot(file: string, plot: Plot): void {
  give({ kind: 'plot', file, plot });
}

function give(handed: Handed): void {
  const into = process.env.BENCH_RESULTS;
  if (into === undefined) console.log(JSON.stringify(handed, undefined, 2));
  else appendFileSync(into, `${JSON.stringify(handed)}\n`);
}

/** Whether a row of this program was asked for. */
export function asked(row: string): boolean {
  const rows = process.env.BENCH_ROWS;
  return rows === undefined || rows.split(',').includes(row);
}

/** How many times better ours is; above 1 where it is better. */
export function ratio({ better, ours, against }: Result): number | undefined {
  if (against.kind === 'nothing') return undefined;
  const theirs = against.kind === 'peer' ? against.figure.median : against.figure;
  // Nothing is allowed: there is no ratio beyond that.
  if (theirs === 0 && better === 'less') return ours.median === 0 ? 1 : 0;
  return better === 'more' ? ours.median / theirs : theirs / ours.median;
}

/** Prints what is going on, beside the table. */
export function note(text: string): void {
  console.error(text);
}
