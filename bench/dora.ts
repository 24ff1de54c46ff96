/**
 * DHCP exchanges (DISCOVER to ACK) a second with 60,000 clients, leases on disk: the highest rate, in steps of 10 %, at which no more than 0.5 % are lost. From a pool, and
 * with 10,000 machines that have addresses of their own. Beside Kea with its threads on.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { asked, hand, note, type Result } from './result.ts';
import { length } from './rounds.ts';
import { type KeaHost, type Server, scratchFolder, startKea, startReveille } from './servers.ts';
import { AMONG_CLIENTS, layWires, type Wire } from './wire.ts';

const CLIENTS = 60_000;
const RESERVED = 10_000;
const SECONDS = length(4, 2);
const LEAST = 1000;
const STEP = 1.1;
const STEPS = 40;
/** Where a search begins: 1000 x 1.1^15, some 4,200 a second. */
const FIRST_STEP = 15;
const STRIDE = 4;
/** What waits in buffers after a rate that was too high is gone then. */
const PAUSE_MS = 500;
const TOLERATED_LOSS = 0.005;
const SEARCHES = length(3, 1);

/** perfdhcp adds the number of a client to the last bytes of this one. */
const FIRST_MAC = '00:0c:01:02:00:00';

const { ours, peer } = layWires();

if (asked('dora')) {
  await compare('dora', 'DHCP exchanges, 60,000 clients of a pool', CLIENTS, 1.5, {
    site: (wire) => site(wire, `pools: [{ range: ${pool(wire)}, allow: any }]`, ''),
    hosts: [],
  });
}
if (asked('dora-reservations')) {
  await compare('dora-reservations', 'the same, 10,000 machines with addresses of their own', RESERVED, 2, {
    site: (wire) =>
      site(
        wire,
        '',
        machines(wire)
          .map(({ mac, ip }, i) => `  n${i}: { mac: '${mac}', ip: ${ip} }\n`)
          .join(''),
      ),
    hosts: machines(peer),
  });
}

type Setup = { readonly site: (wire: Wire) => string; readonly hosts: readonly KeaHost[] };

async function compare(row: string, what: string, clients: number, reach: number, setup: Setup): Promise<void> {
  using folder = scratchFolder();
  const siteFolder = join(folder.path, 'site');
  mkdirSync(siteFolder);
  writeFileSync(join(siteFolder, 'site.yaml'), setup.site(ours));
  await using servers = new AsyncDisposableStack();
  const reveille = servers.use(await startReveille(ours, { site: siteFolder, state: join(folder.path, 'state') }));
  const kea = servers.use(await startKea(peer, folder.path, { pool: pool(peer), hosts: setup.hosts }));
  const sides = [
    { server: reveille, wire: ours, reached: [] as number[] },
    { server: kea, wire: peer, reached: [] as number[] },
  ];
  // A server that just started has caches to fill and code to compile; that is not what is measured.
  for (const { wire } of sides) await load(wire, clients, 2000, 5);
  for (let search = 0; search < SEARCHES; search++)
    for (const side of search % 2 === 0 ? sides : sides.toReversed())
      side.reached.push(await highestRate(side, clients));
  const [mine, theirs] = sides.map(({ reached }) => best(reached));
  if (mine === undefined || theirs === undefined) throw new Error('a side is missing');
  const against: Result['against'] = { kind: 'peer', name: kea.name, figure: theirs, reach };
  hand({ row, what, unit: '/s', better: 'more', ours: mine, against });
}

/** The highest of the rates that were found; the lowest and highest say how far the searches agree. */
function best(reached: readonly number[]) {
  return { median: Math.max(...reached), low: Math.min(...reached), high: Math.max(...reached) };
}

/** The highest rate on the ladder that comes through: upwards until one fails, then by halving. A rate has failed when it fails twice. */
async function highestRate({ server, wire }: { server: Server; wire: Wire }, clients: number): Promise<number> {
  let [passed, failed] = [-1, STEPS];
  let found = 0;
  while (failed - passed > 1) {
    const step = nextStep(passed, failed);
    const rate = Math.round(LEAST * STEP ** step);
    let reached: number | undefined;
    for (let tries = 0; tries < 2 && reached === undefined; tries++) {
      await delay(PAUSE_MS);
      const figures = await load(wire, clients, rate, SECONDS);
      if (figures.loss <= TOLERATED_LOSS && figures.reached >= rate * 0.9) reached = figures.reached;
      note(
        `${server.name}: ${rate}/s asked, ${Math.round(figures.reached)}/s, ${(figures.loss * 100).toFixed(2)} % lost`,
      );
    }
    if (reached === undefined) failed = step;
    else {
      passed = step;
      found = reached;
    }
  }
  return found;
}

/** Upwards in strides, so that no server is flooded with many times what it can take before it is measured. */
function nextStep(passed: number, failed: number): number {
  if (failed < STEPS) return (passed + failed) >> 1;
  return passed < 0 ? FIRST_STEP : Math.min(passed + STRIDE, STEPS - 1);
}

/** perfdhcp exits with 3 when packets were lost: that is a figure, not a failure. */
async function load(
  wire: Wire,
  clients: number,
  rate: number,
  seconds: number,
): Promise<{ reached: number; loss: number }> {
  const args = [
    '-4',
    '-r',
    `${rate}`,
    '-R',
    `${clients}`,
    '-b',
    `mac=${FIRST_MAC}`,
    '-p',
    `${seconds}`,
    '-l',
    wire.clientInterface,
  ];
  const [first, ...enter] = AMONG_CLIENTS;
  const { stdout } = await promisify(execFile)(first, [...enter, 'perfdhcp', ...args, wire.server]).catch(
    (error: { code?: number; stdout?: string }) => {
      if (error.code === 3 && error.stdout) return { stdout: error.stdout };
      throw error;
    },
  );
  const reached = Number(/Rate: ([0-9.]+) 4-way/.exec(stdout)?.[1]);
  const counts = (what: string) =>
    [...stdout.matchAll(new RegExp(`^${what} packets: ([0-9]+)$`, 'gm'))].map((match) => Number(match[1]));
  const [sent, received] = [counts('sent'), counts('received')];
  if (!Number.isFinite(reached) || sent.length !== 2) throw new Error(`perfdhcp printed something else:\n${stdout}`);
  return { reached, loss: 1 - (received[1] ?? 0) / (sent[0] ?? 1) };
}

function machines({ prefix }: Wire): KeaHost[] {
  return Array.from({ length: RESERVED }, (_, i) => {
    const [high, low] = [i >> 8, i & 255];
    const hex = (byte: number) => byte.toString(16).padStart(2, '0');
    return { mac: `00:0c:01:02:${hex(high)}:${hex(low)}`, ip: `${prefix}.${100 + high}.${low}` };
  });
}

/** Beside the machines' own addresses, and more than there are clients. */
function pool({ prefix }: Wire): string {
  return `${prefix}.1.0-${prefix}.255.250`;
}

function site({ interface: name, prefix }: Wire, pools: string, nodes: string): string {
  return `networks:
  load:
    interface: ${name}
    subnet: ${prefix}.0.0/16
    gateway: ${prefix}.0.1
    lease: 1h
    ${pools}
dhcp: { probe: off }
${nodes === '' ? '' : `nodes:\n${nodes}`}`;
}
