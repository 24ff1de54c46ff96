/**
 * Runs the rows of the bench, each program where it has to run: those with traffic in namespaces of their own. Writes bench/RESULTS.md and bench/plots after a whole run, else
 * prints the table.
 *   make bench | make bench-quick | make bench ONLY=tftp-lockstep,http-16
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { svg } from '../src/storm/plot.ts';
import { machineText } from './machine.ts';
import { page, table } from './page.ts';
import type { Handed, Result } from './result.ts';
import { QUICK } from './rounds.ts';
import { scratchFolder } from './servers.ts';

const HERE = import.meta.dirname;

type Program = { readonly name: string; readonly rows: readonly string[]; readonly isolated: boolean };

/** The programs with the rows that each of them measures. */
const PROGRAMS: readonly Program[] = [
  { name: 'dora', rows: ['dora', 'dora-reservations'], isolated: true },
  { name: 'tftp', rows: ['tftp-alone', 'tftp-lockstep', 'tftp-window4', 'tftp-window16'], isolated: true },
  { name: 'http', rows: ['http-1', 'http-16', 'http-256', 'http-small-16', 'http-small-256'], isolated: true },
  { name: 'storm', rows: ['storm', 'memory-storms'], isolated: true },
  { name: 'site', rows: ['memory-rest', 'start', 'check', 'status', 'edit'], isolated: true },
  { name: 'offers', rows: ['offers'], isolated: true },
  { name: 'growth', rows: ['growth-dhcp', 'growth-tftp', 'growth-bundle', 'growth-events'], isolated: true },
  { name: 'events', rows: ['events'], isolated: true },
  // It fetches packages.
  { name: 'image', rows: ['image', 'image-size'], isolated: false },
];

/** Rows that take too long for a quick run. */
const NOT_QUICK = new Set([
  'image',
  'image-size',
  'memory-storms',
  'dora-reservations',
  'growth-dhcp',
  'growth-tftp',
  'growth-bundle',
  'growth-events',
]);

const known = PROGRAMS.flatMap(({ rows }) => rows);
const only = process.env.ONLY ? process.env.ONLY.split(',').filter(Boolean) : undefined;
const unknown = only?.filter((row) => !known.includes(row)) ?? [];
if (unknown.length > 0) {
  console.error(`bench: there is no row ${unknown.join(', ')}. Rows: ${known.join(' ')}`);
  process.exit(2);
}

using scratch = scratchFolder();
const results: Result[] = [];
const plots: Extract<Handed, { kind: 'plot' }>[] = [];
const failed: { readonly row: string; readonly why: string }[] = [];
const began = performance.now();
const skipped: string[] = [];

for (const { name, rows, isolated } of PROGRAMS) {
  const wanted = rows.filter((row) => only?.includes(row) ?? !(QUICK && NOT_QUICK.has(row)));
  if (only === undefined) skipped.push(...rows.filter((row) => !wanted.includes(row)));
  if (wanted.length === 0) continue;
  console.error(`\n== ${wanted.join(' ')}`);
  const into = join(scratch.path, `${name}.jsonl`);
  writeFileSync(into, '');
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', join(HERE, `${name}.ts`)];
  const [program = '', ...args] = isolated ? [join(HERE, '../test/isolated'), ...node] : node;
  const env = { ...process.env, BENCH_RESULTS: into, BENCH_ROWS: wanted.join(',') };
  const { status, stderr } = spawnSync(program, args, {
    env,
    stdio: ['ignore', 'inherit', 'pipe'],
    maxBuffer: 1 << 28,
    encoding: 'utf8',
    timeout: 900_000,
  });
  process.stderr.write(stderr);
  const handed = readFileSync(into, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Handed);
  for (const one of handed) {
    if (one.kind === 'result') results.push(one.result);
    else plots.push(one);
  }
  const has = new Set(handed.flatMap((one) => (one.kind === 'result' ? [one.result.row] : [])));
  const why = errorIn(stderr) ?? (status === null ? 'it did not end within 15 minutes' : `it ended with ${status}`);
  const missing = wanted.filter((row) => !has.has(row));
  failed.push(...missing.map((row) => ({ row, why })));
  if (status !== 0 && missing.length === 0) failed.push({ row: name, why });
}

const minutes = (performance.now() - began) / 60_000;
console.log(table(results, failed));
if (skipped.length > 0) console.log(`Left out of a quick run: ${skipped.join(', ')}.`);
console.log(`It took ${minutes.toFixed(1)} minutes.`);
if (only === undefined && !QUICK) {
  rmSync(join(HERE, 'plots'), { recursive: true, force: true });
  mkdirSync(join(HERE, 'plots'));
  for (const { file, plot } of plots) writeFileSync(join(HERE, 'plots', `${file}.svg`), svg(plot));
  writeFileSync(join(HERE, 'RESULTS.md'), page({ results, failed, plots, minutes, machine: machineText() }));
  console.log('Written: bench/RESULTS.md, bench/plots');
} else if (plots.length > 0) {
  const folder = process.env.BENCH_PLOTS;
  if (folder !== undefined) for (const { file, plot } of plots) writeFileSync(join(folder, `${file}.svg`), svg(plot));
}
if (failed.length > 0) process.exitCode = 1;

/** The line of an exception that ended a program. */
function errorIn(stderr: string): string | undefined {
  return stderr
    .split('\n')
    .find((line) => /^(\w*Error|bench|[a-z]+):? /.test(line) && /Error/.test(line))
    ?.trim();
}
