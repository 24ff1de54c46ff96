/**
 * A site of 10,000 nodes: memory at rest, time to the first answer after a start, `check`, `status`, and an edit: when it is served, and how long answers waited meanwhile.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { FIRST_NODE, nodeAt, writeBigSite } from './bigSite.ts';
import { askOffers, type Offers } from './offersLoad.ts';
import { asked, hand, note } from './result.ts';
import { length, spread } from './rounds.ts';
import {
  REVEILLE,
  REVEILLE_HTTP,
  scratchFolder,
  startKea,
  startNginx,
  startReveille,
  startTftpPeer,
} from './servers.ts';
import { layWires } from './wire.ts';

const NODES = 10_000;
const ROUNDS = length(5, 3);
const REST_MS = length(5000, 2000);

const { ours, peer } = layWires();
using folder = scratchFolder();
const place = { site: join(folder.path, 'site'), state: join(folder.path, 'state') };
mkdirSync(place.site);
writeBigSite(place.site, ours, { nodes: NODES });
const first = nodeAt(ours, FIRST_NODE);

if (asked('start')) {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const offers = askOffers(ours, { mac: first.mac, machines: 1, everyMicroseconds: 5000, seconds: 4 });
    await delay(200);
    const began = Date.now();
    const server = spawn(REVEILLE, ['serve', '--site', place.site, '--state', place.state, '--keep-privileges'], {
      stdio: 'ignore',
    });
    const { firstAt, answered } = await offers;
    server.kill();
    await once(server, 'exit');
    if (answered === 0) throw new Error('there was no answer within 4 s of the start');
    times.push(firstAt * 1000 - began);
    note(`start: first OFFER after ${times.at(-1)?.toFixed(0)} ms`);
  }
  hand({
    row: 'start',
    what: 'from start to the first OFFER, 10,000 nodes',
    unit: 'ms',
    better: 'less',
    ours: spread(times),
    against: { kind: 'bound', figure: 1000 },
  });
}

if (asked('check')) {
  // Images that are not built are a finding, not a mistake.
  const times = await timed(['check', '--site', place.site, '--state', place.state]);
  hand({
    row: 'check',
    what: '`reveille check`, 10,000 nodes',
    unit: 'ms',
    better: 'less',
    ours: spread(times),
    against: { kind: 'bound', figure: 1000 },
  });
}

await using servers = new AsyncDisposableStack();
const reveille = servers.use(await startReveille(ours, place));
await askOffers(ours, { mac: first.mac, machines: NODES, everyMicroseconds: 500, seconds: length(6, 2) });

if (asked('memory-rest')) {
  const root = join(folder.path, 'root');
  mkdirSync(root);
  await using others = new AsyncDisposableStack();
  const hosts = Array.from({ length: NODES }, (_, i) => ({
    mac: nodeAt(ours, FIRST_NODE + i).mac,
    ip: `${peer.prefix}.${100 + (i >> 8)}.${i & 255}`,
  }));
  const peers = [
    others.use(await startKea(peer, folder.path, { pool: `${peer.prefix}.1.0-${peer.prefix}.2.250`, hosts })),
    others.use(await startTftpPeer(peer, 'atftpd', root)),
    others.use(await startNginx(peer, folder.path, root)),
  ];
  await delay(REST_MS);
  const megabytes = reveille.residentBytes() / 1e6;
  const theirs = peers.map(({ name, ...server }) => ({ name, megabytes: server.residentBytes() / 1e6 }));
  const words = theirs.map((one) => `${one.name} ${one.megabytes.toFixed(0)} MB`).join(', ');
  hand({
    row: 'memory-rest',
    what: 'memory at rest, 10,000 nodes of which each was offered its address',
    unit: 'MB',
    better: 'less',
    ours: spread([megabytes]),
    against: { kind: 'bound', figure: 200 },
    notes: [`beside it, with the same 10,000 hosts in Kea: ${words}`],
  });
}

if (asked('status')) {
  const times = await timed(['status', '--site', place.site, '--state', place.state, '--json']);
  hand({
    row: 'status',
    what: '`reveille status`, 10,000 nodes, of the running server',
    unit: 'ms',
    better: 'less',
    ours: spread(times),
    against: { kind: 'bound', figure: 1000 },
  });
}

if (asked('edit')) {
  const [served, longest, quiet]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const load = { mac: first.mac, machines: NODES, everyMicroseconds: 1000, seconds: 2.5 };
    quiet.push((await askOffers(ours, load)).longest);
    const offers: Promise<Offers> = askOffers(ours, load);
    await delay(500);
    const image = round % 2 === 0 ? 'other' : 'ram';
    const began = performance.now();
    writeBigSite(place.site, ours, { nodes: NODES, image });
    await untilServed(first.mac, image);
    served.push(performance.now() - began);
    longest.push((await offers).longest);
    note(
      `edit: served after ${served.at(-1)?.toFixed(0)} ms, longest wait for an OFFER ${longest.at(-1)?.toFixed(1)} ms`,
    );
  }
  hand({
    row: 'edit',
    what: 'an edit with 10,000 nodes: written until served',
    unit: 'ms',
    better: 'less',
    ours: spread(served),
    against: { kind: 'bound', figure: 300 },
  });
  hand({
    row: 'edit',
    what: 'the longest that an OFFER took meanwhile',
    unit: 'ms',
    better: 'less',
    ours: spread(longest),
    against: { kind: 'bound', figure: 20 },
    notes: [`the longest OFFER in as long a time without an edit: ${spread(quiet).median.toFixed(1)} ms`],
  });
}

/** Waits until the script of a node speaks of that image. */
async function untilServed(mac: string, image: string): Promise<void> {
  const url = `http://${ours.server}:${REVEILLE_HTTP}/boot/ipxe/${mac}`;
  for (let tries = 0; tries < 1000; tries++) {
    const answer = await fetch(url).then((response) => response.text());
    if (answer.includes(` ${image} `)) return;
    await delay(3);
  }
  throw new Error(`the edit was not served: ${url}`);
}

/** The time of a command from start to end, several times, in milliseconds. */
async function timed(args: readonly string[]): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    // What it finds is no failure here; that it does not run at all is one.
    await promisify(execFile)(REVEILLE, args, { maxBuffer: 1 << 28 }).catch((error: { code?: unknown }) => {
      if (error.code !== 1) throw error;
    });
    times.push(performance.now() - began);
    note(`${args[0]}: ${times.at(-1)?.toFixed(0)} ms`);
  }
  return times;
}
