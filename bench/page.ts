import type { Plot } from '../src/storm/plot.ts';
import { type Result, ratio } from './result.ts';
import type { Spread } from './rounds.ts';

type Failed = { readonly row: string; readonly why: string };

/** The page of a whole run, in Markdown. */
export function page(run: {
  readonly results: readonly Result[];
  readonly failed: readonly Failed[];
  readonly plots: readonly { readonly file: string; readonly plot: Plot }[];
  readonly minutes: number;
  readonly machine: readonly string[];
}): string {
  const { results, failed, plots, minutes, machine } = run;
  const notes = results.flatMap(({ row, notes = [] }) => notes.map((note) => `- \`${row}\`: ${note}`));
  return [
    '# Results of `make bench`',
    '',
    `Made by \`make bench\` in ${minutes.toFixed(0)} minutes; how to read it: [docs/performance.md](../docs/performance.md).`,
    '',
    ...machine.map((line) => `- ${line}`),
    '',
    table(results, failed),
    ...(notes.length > 0 ? ['', '## Beside the figures', '', ...notes] : []),
    ...(plots.length > 0 ? ['', '## Curves', ''] : []),
    ...plots.flatMap(({ file, plot }) => [`![${plot.title}](plots/${file}.svg)`, '']),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n');
}

/** The rows as a table of Markdown; a row that could not run has its reason. */
export function table(results: readonly Result[], failed: readonly Failed[]): string {
  const lines = results.map((result) => {
    const { row, what, unit, ours, against } = result;
    const times = ratio(result);
    const beside =
      against.kind === 'peer'
        ? `${against.name}: ${figure(against.figure, unit)}`
        : against.kind === 'bound'
          ? `at most ${number(against.figure)} ${unit}`
          : '';
    const reach = against.kind === 'peer' ? number(against.reach) : against.kind === 'bound' ? '1.0' : '';
    const reached = times === undefined ? '' : isReached(result) ? 'yes' : '**no**';
    return `| \`${row}\` | ${what} | ${figure(ours, unit)} | ${beside} | ${times?.toFixed(2) ?? ''} | ${reach} | ${reached} |`;
  });
  return [
    '| row | what | Reveille: median (lowest to highest) | beside | ratio | aim | reached |',
    '|---|---|---|---|---|---|---|',
    ...lines,
    ...failed.map(({ row, why }) => `| \`${row}\` | **DID NOT RUN** | ${why.replaceAll('|', '/')} | | | | **no** |`),
  ].join('\n');
}

function isReached(result: Result): boolean {
  const { against } = result;
  return (ratio(result) ?? 0) >= (against.kind === 'peer' ? against.reach : 1);
}

function figure({ median, low, high }: Spread, unit: string): string {
  const range = low === high ? '' : ` (${number(low)} to ${number(high)})`;
  return `${number(median)} ${unit}${range}`;
}

function number(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
