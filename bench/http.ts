/**
 * HTTP throughput of boot files, beside nginx with sendfile.
 *   test/isolated node_modules/.bin/node bench/http.ts
 */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Comparison, report } from './report.ts';
import { layWire, withFolder, withServer } from './wire.ts';

const BIG_BYTES = 200_000_000;
const NGINX_PORT = 8081;
const RUNS = 5;

const run = promisify(execFile);
const wire = layWire('10.11');

type Figures = { readonly one: number; readonly eight: number; readonly small: number };

const { ours, theirs } = await withFolder(async (folder) => {
  const root = join(folder, 'tftp');
  await mkdir(join(folder, 'state'));
  await mkdir(root);
  const big = randomBytes(BIG_BYTES);
  const sha256 = createHash('sha256').update(big).digest('hex');
  await writeFile(join(root, 'big'), big);
  await writeFile(join(root, 'small'), randomBytes(1000));
  await writeFile(
    join(folder, 'site.yaml'),
    `networks: { load: { interface: ${wire.server}, subnet: 10.11.0.0/16 } }\ntftp: { root: tftp }\n`,
  );
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log; user root;
events { worker_connections 256; }
http { access_log off; sendfile on; tcp_nopush on; server { listen ${NGINX_PORT}; root ${root}; } }\n`,
  );
  const reveille = join(import.meta.dirname, '../bin/reveille');
  const base = 'http://10.11.0.1:8080/boot/files';
  const peer = `http://10.11.0.1:${NGINX_PORT}`;
  return {
    ours: await withServer(
      [reveille, 'serve', '--site', folder, '--state', join(folder, 'state')],
      {},
      () => answers(`${base}/small`),
      () => measure(base, sha256),
    ),
    theirs: await withServer(
      ['nginx', '-c', join(folder, 'nginx.conf')],
      {},
      () => answers(`${peer}/small`),
      () => measure(peer, sha256),
    ),
  };
});

const rows: [string, keyof Figures, string][] = [
  ['HTTP, one download of 200 MB', 'one', 'MB/s'],
  ['HTTP, eight downloads at once', 'eight', 'MB/s'],
  ['HTTP, files of 1 kB, 16 connections', 'small', '/s'],
];
report(
  rows.map(
    ([what, key, unit]): Comparison => ({
      what,
      unit,
      ours: ours[key],
      peer: 'nginx, sendfile, 1 worker',
      theirs: theirs[key],
      better: 'more',
    }),
  ),
);

async function measure(base: string, sha256: string): Promise<Figures> {
  const whole = await client('sh', '-c', `curl -s ${base}/big | sha256sum`);
  if (!whole.startsWith(sha256)) throw new Error(`${base}/big came through damaged`);
  const singles: number[] = [];
  for (let i = 0; i < RUNS; i++) singles.push(await megabytesPerSecond(base, 1));
  return { one: Math.max(...singles), eight: await megabytesPerSecond(base, 8), small: await requestsPerSecond(base) };
}

async function megabytesPerSecond(base: string, count: number): Promise<number> {
  const started = performance.now();
  await Promise.all(Array.from({ length: count }, () => client('curl', '-sf', '-o', '/dev/null', `${base}/big`)));
  return (BIG_BYTES * count) / 1e6 / ((performance.now() - started) / 1000);
}

async function requestsPerSecond(base: string): Promise<number> {
  const text = await client('wrk', '-t1', '-c16', '-d5s', `${base}/small`);
  const rate = Number(/Requests\/sec: +([0-9.]+)/.exec(text)?.[1]);
  if (!Number.isFinite(rate) || text.includes('Non-2xx')) throw new Error(`wrk printed something else:\n${text}`);
  return rate;
}

async function answers(url: string): Promise<boolean> {
  return client('curl', '-sf', '-o', '/dev/null', url).then(
    () => true,
    () => false,
  );
}

async function client(...command: string[]): Promise<string> {
  const [program = '', ...args] = [...wire.client, ...command];
  return (await run(program, args, { maxBuffer: 1e6 })).stdout;
}
