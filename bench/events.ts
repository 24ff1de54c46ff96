/** What events cost where they arise: the processor time of a small TFTP transfer while nobody reads events, and while two programs follow them all. */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { loadProgram } from './load.ts';
import { hand, note } from './result.ts';
import { alternate, length, spread } from './rounds.ts';
import { REVEILLE, scratchFolder, startReveille } from './servers.ts';
import { AMONG_CLIENTS, CLIENT_ADDRESSES, layWires } from './wire.ts';

const TRANSFERS = length(4000, 2000);
const READERS = 2;

const { ours } = layWires();
using folder = scratchFolder();
const file = join(folder.path, 'tftp/file');
mkdirSync(join(folder.path, 'tftp'));
writeFileSync(file, randomBytes(1000));
writeFileSync(
  join(folder.path, 'site.yaml'),
  `networks: { load: { interface: ${ours.interface}, subnet: ${ours.prefix}.0.0/16 } }\ntftp: { root: tftp }\n`,
);
const state = join(folder.path, 'state');
await using servers = new AsyncDisposableStack();
const reveille = servers.use(await startReveille(ours, { site: folder.path, state }));
await transfers();

const [alone = [], followed = []] = await alternate(length(5, 2), [0, READERS], async (readers) => {
  const following = Array.from({ length: readers }, () =>
    spawn(REVEILLE, ['watch', '--json', '--state', state], { stdio: 'ignore' }),
  );
  // They start, and read what there is already.
  if (readers > 0) await delay(1500);
  const before = reveille.processorSeconds();
  await transfers();
  const microseconds = ((reveille.processorSeconds() - before) / TRANSFERS) * 1e6;
  for (const one of following) {
    one.kill();
    await once(one, 'exit');
  }
  note(`${readers} readers: ${microseconds.toFixed(0)} us of processor a transfer`);
  return microseconds;
});
hand({
  row: 'events',
  what: 'processor time of a small transfer, all events followed by two readers',
  unit: 'us',
  better: 'less',
  ours: spread(followed),
  against: { kind: 'peer', name: 'no reader', figure: spread(alone), reach: 1 / 1.25 },
});

async function transfers(): Promise<void> {
  const [first, ...enter] = AMONG_CLIENTS;
  const args = [ours.server, 'file', file, '--first', ours.firstClient, '--addresses', `${CLIENT_ADDRESSES}`];
  await promisify(execFile)(first, [
    ...enter,
    loadProgram('tftp'),
    ...args,
    '--at-once',
    '20',
    '--total',
    `${TRANSFERS}`,
  ]);
}
