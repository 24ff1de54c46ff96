/** How long an OFFER takes while 16 clients download a file of 200 MB as fast as they can, beside how long it takes at rest. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadProgram } from './load.ts';
import { askOffers } from './offersLoad.ts';
import { hand, note } from './result.ts';
import { alternate, length, spread } from './rounds.ts';
import { REVEILLE_HTTP, scratchFolder, startReveille } from './servers.ts';
import { AMONG_CLIENTS, layWires } from './wire.ts';

const BIG_BYTES = 200_000_000;
const SECONDS = length(4, 2);

const { ours } = layWires();
using folder = scratchFolder();
mkdirSync(join(folder.path, 'tftp'));
writeFileSync(join(folder.path, 'tftp/big'), randomBytes(BIG_BYTES));
writeFileSync(
  join(folder.path, 'site.yaml'),
  `networks:
  load:
    interface: ${ours.interface}
    subnet: ${ours.prefix}.0.0/16
    pools: [{ range: ${ours.prefix}.1.0-${ours.prefix}.9.250, allow: any }]
dhcp: { probe: off }
tftp: { root: tftp }
`,
);
await using servers = new AsyncDisposableStack();
servers.use(await startReveille(ours, { site: folder.path, state: join(folder.path, 'state') }));
const asking = { mac: '02:00:00:00:00:00', machines: 1000, everyMicroseconds: 2000, seconds: SECONDS };
await askOffers(ours, asking);

const [idle = [], loaded = []] = await alternate(length(3, 1), ['idle', 'loaded'] as const, async (kind) => {
  const download = kind === 'loaded' ? downloads() : undefined;
  const offers = await askOffers(ours, asking);
  await download;
  note(
    `${kind}: OFFER p50 ${offers.p50.toFixed(2)} ms, p99 ${offers.p99.toFixed(2)} ms, ${offers.unanswered} unanswered`,
  );
  return offers;
});
hand({
  row: 'offers',
  what: 'p99 of an OFFER while 16 clients download at full speed',
  unit: 'ms',
  better: 'less',
  ours: spread(loaded.map(({ p99 }) => p99)),
  against: { kind: 'peer', name: 'the same at rest', figure: spread(idle.map(({ p99 }) => p99)), reach: 1 / 5 },
  notes: [`unanswered: ${loaded.reduce((sum, { unanswered }) => sum + unanswered, 0)} while loaded`],
});

async function downloads(): Promise<void> {
  const [first, ...enter] = AMONG_CLIENTS;
  const args = [ours.server, `${REVEILLE_HTTP}`, '/boot/files/big', '--clients', '16', '--seconds', `${SECONDS + 0.3}`];
  await promisify(execFile)(first, [...enter, loadProgram('http'), ...args]);
}
