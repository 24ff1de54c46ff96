/**
 * What one request costs as a site grows from 10 to 100,000 nodes: the same nodes of it boot one after the other against a server that has nothing else to do, and the median of each step counts.
 */
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { StormReport } from '../src/storm/report.ts';
import { writeBigSite } from './bigSite.ts';
import { putImage } from './bootImage.ts';
import { asked, hand, handPlot, note } from './result.ts';
import { length, QUICK, spread } from './rounds.ts';
import { REVEILLE, scratchFolder, startReveille } from './servers.ts';
import { AMONG_CLIENTS, layWires } from './wire.ts';

const SIZES = QUICK ? [10, 10_000] : [10, 100, 1000, 10_000, 100_000];
const BOOTS = 10;
const ROUNDS = length(6, 3);
/** Flat: the largest site costs no more than this times the smallest. */
const FLAT = 1.25;

const STEPS = {
  'growth-dhcp': { step: 'firmware-dhcp', what: 'DHCP, DISCOVER to ACK', plot: 'DHCP' },
  'growth-tftp': { step: 'loader', what: 'TFTP, the loader', plot: 'TFTP' },
  'growth-bundle': { step: 'bundle', what: 'bundle, with its reports', plot: 'bundle' },
  'growth-events': { step: 'ready', what: 'events, four reports', plot: 'four reports' },
} as const;
type Row = keyof typeof STEPS;

const { ours } = layWires();
const rows = (Object.keys(STEPS) as Row[]).filter(asked);
const figures = new Map<Row, [number, ReturnType<typeof spread>][]>(rows.map((row) => [row, []]));

for (const nodes of SIZES) {
  using folder = scratchFolder();
  const few = join(folder.path, 'few');
  const site = join(folder.path, 'site');
  const state = join(folder.path, 'state');
  for (const one of [few, site]) mkdirSync(one);
  writeBigSite(few, ours, { nodes: BOOTS });
  writeBigSite(site, ours, { nodes });
  await putImage(state);
  await using servers = new AsyncDisposableStack();
  servers.use(await startReveille(ours, { site, state }));
  const reports: StormReport[] = [];
  // The first boots compile code and fill caches.
  for (let round = -2; round < ROUNDS; round++) {
    const report = await boots(few);
    if (round >= 0) reports.push(report);
  }
  for (const row of rows) {
    const times = reports.map(({ steps }) => steps.find(({ step }) => step === STEPS[row].step)?.p50 ?? Number.NaN);
    figures.get(row)?.push([nodes, spread(times)]);
    note(`${nodes} nodes: ${STEPS[row].what}: ${spread(times).median.toFixed(2)} ms`);
  }
}

for (const row of rows) {
  const all = figures.get(row) ?? [];
  const [least, most] = [all[0], all.at(-1)];
  if (least === undefined || most === undefined) throw new Error('nothing was measured');
  hand({
    row,
    what: `${STEPS[row].what}: of ${most[0].toLocaleString('en')} nodes beside ${least[0]}`,
    unit: 'ms',
    better: 'less',
    ours: most[1],
    against: { kind: 'peer', name: `${least[0]} nodes`, figure: least[1], reach: 1 / FLAT },
  });
}
handPlot('growth', {
  title: 'What one request costs as the site grows',
  x: { label: 'nodes of the site', log: true },
  y: { label: 'time (ms), median' },
  series: rows.map((row) => ({
    name: STEPS[row].plot,
    points: (figures.get(row) ?? []).map(([nodes, { median }]) => [nodes, median] as const),
  })),
});

/** The first nodes of the site boot, one at a time. */
async function boots(site: string): Promise<StormReport> {
  const [first, ...enter] = AMONG_CLIENTS;
  const args = [
    'storm',
    '--site',
    site,
    '--interface',
    ours.clientInterface,
    '--at-once',
    '1',
    '--limit',
    '20s',
    '--json',
  ];
  const { stdout } = await promisify(execFile)(first, [...enter, REVEILLE, ...args], { maxBuffer: 1 << 26 });
  return JSON.parse(stdout) as StormReport;
}
