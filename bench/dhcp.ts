/**
 * DHCP exchanges (DISCOVER to ACK) a second, beside Kea with its threads on, both with leases kept on disk.
 *   test/isolated node_modules/.bin/node bench/dhcp.ts
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { report } from './report.ts';
import { layWire, type Wire, withFolder, withServer } from './wire.ts';

const CLIENTS = 50_000;
/** A server that just started has caches to fill and code to compile; that is not what is measured. */
const WARM_UP_RATE = 1000;
const SECONDS = 5;
const RATES = [2000, 4000, 6000, 8000, 10_000, 12_000, 14_000, 16_000, 20_000];
/** A rate is reached where no more than this part of the exchanges is lost. */
const TOLERATED_LOSS = 0.01;

const run = promisify(execFile);
const wire = layWire('10.10');

const ours = await withFolder(async (folder) => {
  await mkdir(join(folder, 'state'));
  await writeFile(
    join(folder, 'site.yaml'),
    `networks:
  load:
    interface: ${wire.server}
    subnet: 10.10.0.0/16
    gateway: 10.10.0.1
    lease: 1h
    pools: [{ range: 10.10.1.0-10.10.255.250, allow: any }]
dhcp: { probe: off }
`,
  );
  const state = join(folder, 'state');
  const reveille = join(import.meta.dirname, '../bin/reveille');
  return withServer(
    [reveille, 'serve', '--site', folder, '--state', state],
    {},
    async () => existsSync(join(state, 'reveille.sock')),
    () => highestRate('reveille', wire),
  );
});

const kea = await withFolder(async (folder) => {
  const config = join(folder, 'kea.json');
  await mkdir('/run/kea', { recursive: true });
  await writeFile(
    config,
    JSON.stringify({
      Dhcp4: {
        'interfaces-config': { interfaces: [wire.server], 'dhcp-socket-type': 'udp' },
        'lease-database': { type: 'memfile', persist: true, name: join(folder, 'leases.csv'), 'lfc-interval': 0 },
        'multi-threading': { 'enable-multi-threading': true, 'thread-pool-size': 2, 'packet-queue-size': 64 },
        'valid-lifetime': 3600,
        'control-socket': { 'socket-type': 'unix', 'socket-name': join(folder, 'kea.sock') },
        subnet4: [
          {
            id: 1,
            subnet: '10.10.0.0/16',
            pools: [{ pool: '10.10.1.0-10.10.255.250' }],
            'option-data': [{ name: 'routers', data: '10.10.0.1' }],
          },
        ],
        loggers: [{ name: 'kea-dhcp4', severity: 'ERROR', output_options: [{ output: join(folder, 'log') }] }],
      },
    }),
  );
  return withServer(
    ['kea-dhcp4', '-c', config],
    { KEA_PIDFILE_DIR: folder, KEA_LOCKFILE_DIR: 'none' },
    async () => existsSync(join(folder, 'kea.sock')),
    () => highestRate('kea', wire),
  );
});

report([{ what: 'DHCP exchanges', unit: '/s', ours, peer: 'Kea 2.2, threads', theirs: kea, better: 'more' }]);

/** The most exchanges a second that came through with tolerable loss, rates tried upwards. */
async function highestRate(name: string, { client }: Wire): Promise<number> {
  await load(client, WARM_UP_RATE);
  let best = 0;
  for (const rate of RATES) {
    const { reached, loss } = await load(client, rate);
    console.error(`${name}: asked ${rate}/s, reached ${Math.round(reached)}/s, lost ${(loss * 100).toFixed(2)} %`);
    if (loss > TOLERATED_LOSS || reached < rate * 0.9) return Math.max(best, loss > TOLERATED_LOSS ? 0 : reached);
    best = reached;
  }
  return best;
}

/** perfdhcp exits with 3 when packets were lost: that is a figure, not a failure. */
async function load(client: readonly string[], rate: number): Promise<{ reached: number; loss: number }> {
  const args = ['-4', '-r', `${rate}`, '-R', `${CLIENTS}`, '-p', `${SECONDS}`, '-l', 'c0', '10.10.0.1'];
  const [program = 'perfdhcp', ...rest] = [...client, 'perfdhcp', ...args];
  const { stdout } = await run(program, rest).catch((error: { code?: number; stdout?: string }) => {
    if (error.code === 3 && error.stdout) return { stdout: error.stdout };
    throw error;
  });
  const reached = Number(/Rate: ([0-9.]+) 4-way/.exec(stdout)?.[1]);
  const sent = [...stdout.matchAll(/^sent packets: ([0-9]+)$/gm)].map((match) => Number(match[1]));
  const received = [...stdout.matchAll(/^received packets: ([0-9]+)$/gm)].map((match) => Number(match[1]));
  if (!Number.isFinite(reached) || sent.length !== 2) throw new Error(`perfdhcp printed something else:\n${stdout}`);
  return { reached, loss: 1 - (received[1] ?? 0) / (sent[0] ?? 1) };
}
