/**
 * TFTP downloads of 8 MB: 100 at once from 20 addresses, in lock-step and with windows, and one alone. Beside dnsmasq, tftpd-hpa and atftpd.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadProgram } from './load.ts';
import { asked, hand, note } from './result.ts';
import { alternate, length, spread } from './rounds.ts';
import { type Server, scratchFolder, startReveille, startTftpPeer, TFTP_PEERS } from './servers.ts';
import { AMONG_CLIENTS, CLIENT_ADDRESSES, layWires, type Wire } from './wire.ts';

const FILE_BYTES = length(8_000_000, 2_000_000);
const SIZE = `${FILE_BYTES / 1e6} MB`;
const AT_ONCE = 100;
const BLOCK = 1468;
const ROUNDS = length(5, 1);

type Load = { readonly window: number; readonly atOnce: number; readonly compare?: boolean };
type Figure = { readonly speed: number; readonly p99: number; readonly cpu: number; readonly retries: number };
type Side = { readonly server: Server; readonly wire: Wire };

const program = loadProgram('tftp');
const { ours, peer } = layWires();
using folder = scratchFolder();
const root = join(folder.path, 'tftp');
mkdirSync(root);
const copy = join(root, 'file');
writeFileSync(copy, randomBytes(FILE_BYTES));
writeFileSync(
  join(folder.path, 'site.yaml'),
  `networks: { load: { interface: ${ours.interface}, subnet: ${ours.prefix}.0.0/16 } }\ntftp: { root: tftp }\n`,
);

await using servers = new AsyncDisposableStack();
const reveille = servers.use(await startReveille(ours, { site: folder.path, state: join(folder.path, 'state') }));
const us: Side = { server: reveille, wire: ours };
const peers: Side[] = [];
for (const name of TFTP_PEERS) peers.push({ server: servers.use(await startTftpPeer(peer, name, root)), wire: peer });
const atftpd = peers.filter(({ server }) => server.name === 'atftpd');

// What comes through is looked at once; the rounds count lengths.
for (const side of [us, ...peers]) await download(side, { window: 1, atOnce: 4, compare: true });

/** The median speeds of the peers in lock-step with that many downloads at once: windows are held against the best of them too. */
const lockstepOf = new Map<string, number>();

if (asked('tftp-alone')) {
  const [mine = [], ...theirs] = await alternate(length(9, 3), [us, ...peers], (side) =>
    download(side, { window: 1, atOnce: 1 }),
  );
  const best = bestOf(theirs);
  hand({
    row: 'tftp-alone',
    what: `TFTP, one download of ${SIZE} alone, lock-step`,
    unit: 'MB/s',
    better: 'more',
    ours: spread(speeds(mine)),
    against: { kind: 'peer', name: best.name, figure: spread(speeds(best.figures)), reach: 1 },
    notes: othersThan(best.name, theirs),
  });
}

if (['tftp-lockstep', 'tftp-window4', 'tftp-window16'].some(asked)) {
  const [mine = [], ...theirs] = await alternate(ROUNDS, [us, ...peers], (side) =>
    download(side, { window: 1, atOnce: AT_ONCE }),
  );
  const best = bestOf(theirs);
  lockstepOf.set(best.name, spread(speeds(best.figures)).median);
  if (asked('tftp-lockstep'))
    hand({
      row: 'tftp-lockstep',
      what: `TFTP, ${AT_ONCE} downloads of ${SIZE} at once from ${CLIENT_ADDRESSES} addresses, lock-step`,
      unit: 'MB/s',
      better: 'more',
      ours: spread(speeds(mine)),
      against: { kind: 'peer', name: best.name, figure: spread(speeds(best.figures)), reach: 1.2 },
      notes: [...costs(mine, best.figures), ...othersThan(best.name, theirs)],
    });
}

for (const window of [4, 16]) {
  const row = `tftp-window${window}`;
  if (!asked(row)) continue;
  const [mine = [], theirs = []] = await alternate(ROUNDS, [us, ...atftpd], (side) =>
    download(side, { window, atOnce: AT_ONCE }),
  );
  const [name = '', lockstep = 0] = [...lockstepOf][0] ?? [];
  const figure = spread(speeds(theirs));
  const what = `the same, windowsize ${window}`;
  const shared = { what, unit: 'MB/s', better: 'more', ours: spread(speeds(mine)) } as const;
  hand({ ...shared, row, against: { kind: 'peer', name: 'atftpd', figure, reach: 1.8 }, notes: costs(mine, theirs) });
  hand({
    ...shared,
    row,
    against: {
      kind: 'peer',
      name: `${name}, lock-step`,
      figure: { median: lockstep, low: lockstep, high: lockstep },
      reach: 1.8,
    },
  });
}

async function download({ server, wire }: Side, { window, atOnce, compare }: Load): Promise<Figure> {
  const args = [
    ...[server.address, 'file', copy, '--first', wire.firstClient, '--addresses', `${CLIENT_ADDRESSES}`],
    ...['--at-once', `${atOnce}`, '--blksize', `${BLOCK}`, '--window', `${window}`],
    ...(compare ? ['--compare', 'yes'] : []),
  ];
  const [first, ...enter] = AMONG_CLIENTS;
  const before = server.processorSeconds();
  const { stdout } = await promisify(execFile)(first, [...enter, program, ...args]);
  const figures = JSON.parse(stdout) as { seconds: number; bytes: number; retries: number; p99: number };
  const cpu = server.processorSeconds() - before;
  const speed = figures.bytes / 1e6 / figures.seconds;
  note(`${server.name}: ${atOnce} at once, window ${window}: ${speed.toFixed(0)} MB/s, ${figures.retries} retries`);
  return { speed, cpu, retries: figures.retries, p99: figures.p99 };
}

function speeds(figures: readonly Figure[]): number[] {
  return figures.map(({ speed }) => speed);
}

function bestOf(theirs: readonly (readonly Figure[])[]): {
  readonly name: string;
  readonly figures: readonly Figure[];
} {
  const named = peers.map(({ server }, i) => ({ name: server.name, figures: theirs[i] ?? [] }));
  const [best] = named.toSorted((a, b) => spread(speeds(b.figures)).median - spread(speeds(a.figures)).median);
  if (best === undefined) throw new Error('there is no peer');
  return best;
}

function othersThan(best: string, theirs: readonly (readonly Figure[])[]): string[] {
  return peers.flatMap(({ server }, i) =>
    server.name === best ? [] : [`${server.name}: ${spread(speeds(theirs[i] ?? [])).median.toFixed(0)} MB/s`],
  );
}

function costs(mine: readonly Figure[], theirs: readonly Figure[]): string[] {
  const middle = (figures: readonly Figure[], of: (figure: Figure) => number) => spread(figures.map(of)).median;
  const words = (figures: readonly Figure[]) =>
    `${middle(figures, ({ cpu }) => cpu).toFixed(2)} s of processor, slowest download ${middle(figures, ({ p99 }) => p99).toFixed(1)} s, ${middle(figures, ({ retries }) => retries)} retries`;
  return [`Reveille ${words(mine)}; peer ${words(theirs)}`];
}
