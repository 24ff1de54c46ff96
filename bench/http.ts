/**
 * Boot files over HTTP: 200 MB to 1, 16 and 256 clients, with the processor time that the servers take for it, and files of 1 kB with keep-alive. Beside nginx.
 */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadProgram } from './load.ts';
import { asked, hand, note } from './result.ts';
import { alternate, length, spread } from './rounds.ts';
import { NGINX_HTTP, REVEILLE_HTTP, type Server, scratchFolder, startNginx, startReveille } from './servers.ts';
import { AMONG_CLIENTS, CLIENT_ADDRESSES, layWires } from './wire.ts';

const BIG_BYTES = 200_000_000;
const SMALL_BYTES = 1000;
const ROUNDS = length(5, 1);
const SECONDS = length(3, 1.5);

type Side = { readonly server: Server; readonly port: number; readonly path: string; readonly firstClient: string };
type Figure = { readonly rate: number; readonly cpuSeconds: number };

const program = loadProgram('http');
const { ours, peer } = layWires();
using folder = scratchFolder();
const root = join(folder.path, 'tftp');
mkdirSync(root);
const big = randomBytes(BIG_BYTES);
const sha256 = createHash('sha256').update(big).digest('hex');
writeFileSync(join(root, 'big'), big);
writeFileSync(join(root, 'small'), randomBytes(SMALL_BYTES));
writeFileSync(
  join(folder.path, 'site.yaml'),
  `networks: { load: { interface: ${ours.interface}, subnet: ${ours.prefix}.0.0/16 } }\ntftp: { root: tftp }\n`,
);

await using servers = new AsyncDisposableStack();
const us: Side = {
  server: servers.use(await startReveille(ours, { site: folder.path, state: join(folder.path, 'state') })),
  port: REVEILLE_HTTP,
  path: '/boot/files',
  firstClient: ours.firstClient,
};
const nginx: Side = {
  server: servers.use(await startNginx(peer, folder.path, root)),
  port: NGINX_HTTP,
  path: '',
  firstClient: peer.firstClient,
};
for (const side of [us, nginx]) {
  const whole = await client('sh', '-c', `curl -s ${url(side, 'big')} | sha256sum`);
  if (!whole.startsWith(sha256)) throw new Error(`${url(side, 'big')} came through damaged`);
}

for (const clients of [1, 16, 256]) {
  if (!asked(`http-${clients}`)) continue;
  // nginx alone may use both processors; one client more or less does not change what a round costs.
  const [mine = [], theirs = []] = await alternate(ROUNDS, [us, nginx], (side) => megabytes(side, clients));
  const perGigabyte = (figures: readonly Figure[]) =>
    spread(figures.map(({ rate, cpuSeconds }) => (cpuSeconds / (rate * SECONDS)) * 1000));
  const shared = { row: `http-${clients}`, ours: spread(mine.map(({ rate }) => rate)) } as const;
  hand({
    ...shared,
    what: `HTTP, 200 MB, ${clients === 1 ? 'one client' : `${clients} clients`}`,
    unit: 'MB/s',
    better: 'more',
    against: { kind: 'peer', name: nginx.server.name, figure: spread(theirs.map(({ rate }) => rate)), reach: 1 },
  });
  hand({
    ...shared,
    what: 'its processor time for each gigabyte',
    unit: 's',
    better: 'less',
    ours: perGigabyte(mine),
    against: { kind: 'peer', name: nginx.server.name, figure: perGigabyte(theirs), reach: 1 / 1.5 },
  });
}

for (const clients of [16, 256]) {
  const row = `http-small-${clients}`;
  if (!asked(row)) continue;
  const [mine = [], theirs = []] = await alternate(ROUNDS, [us, nginx], (side) => requests(side, clients));
  hand({
    row,
    what: `HTTP, 1 kB with keep-alive, ${clients} clients`,
    unit: '/s',
    better: 'more',
    ours: spread(mine),
    against: { kind: 'peer', name: nginx.server.name, figure: spread(theirs), reach: 0.5 },
  });
}

async function megabytes(side: Side, clients: number): Promise<Figure> {
  const before = side.server.processorSeconds();
  const { bytes, seconds } = await load(side, 'big', BIG_BYTES, clients);
  const cpuSeconds = side.server.processorSeconds() - before;
  const rate = bytes / 1e6 / seconds;
  note(`${side.server.name}: ${clients} clients: ${rate.toFixed(0)} MB/s, ${cpuSeconds.toFixed(2)} s of processor`);
  return { rate, cpuSeconds };
}

async function requests(side: Side, clients: number): Promise<number> {
  const { answers, seconds } = await load(side, 'small', SMALL_BYTES, clients);
  note(`${side.server.name}: ${clients} clients: ${(answers / seconds).toFixed(0)} requests/s`);
  return answers / seconds;
}

/** The clients ask for one file over and over; a refusal or a wrong length fails the row. */
async function load(
  { server, port, path, firstClient }: Side,
  file: string,
  bytes: number,
  clients: number,
): Promise<{ readonly bytes: number; readonly answers: number; readonly seconds: number }> {
  const text = await client(
    program,
    ...[server.address, `${port}`, `${path}/${file}`, '--clients', `${clients}`, '--seconds', `${SECONDS}`],
    ...['--bytes', `${bytes}`, '--first', firstClient, '--addresses', `${CLIENT_ADDRESSES}`],
  );
  return JSON.parse(text) as { bytes: number; answers: number; seconds: number };
}

function url({ server, port, path }: Side, file: string): string {
  return `http://${server.address}:${port}${path}/${file}`;
}

async function client(...command: string[]): Promise<string> {
  const [first, ...enter] = AMONG_CLIENTS;
  return (await promisify(execFile)(first, [...enter, ...command], { maxBuffer: 1e6 })).stdout;
}
