import { createHash, randomUUID } from 'node:crypto';
import { formatIpv4, type Ipv4, parseIpv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { OwnAddresses } from '../net/ownAddress.ts';
import type { DhcpAsker, Given, StormDhcp } from './dhcp.ts';
import { askHttp, type HttpAsk } from './http.ts';
import { type BootScript, readScript } from './script.ts';
import { StormFailure, type StormStep } from './steps.ts';
import { fetchByTftp } from './tftp.ts';

/** What all simulated nodes share. */
export type StormMeans = {
  readonly dhcp: StormDhcp;
  readonly addresses: OwnAddresses;
  /** What firmware says in option 93: 0 for BIOS, 7 for UEFI. */
  readonly arch: number;
  /** Called with the bytes that a step brought. */
  readonly onBytes: (bytes: number) => void;
  /** Called whenever a node waits because the server asked for it, or takes no connection. */
  readonly onWait: () => void;
};

/** Measures one step of a node. */
export type Timed = <T>(step: StormStep, work: () => Promise<T>) => Promise<T>;

/**
 * One boot of a simulated node, from its firmware's DISCOVER to its report `ready`; each step begins when the one before it is done. Throws StormFailure, or what
 * `signal` is aborted with.
 */
export async function bootNode(mac: Mac, means: StormMeans, timed: Timed, signal: AbortSignal): Promise<void> {
  const { dhcp, addresses, arch, onBytes } = means;
  const lease = async (asker: DhcpAsker): Promise<Given> => {
    const given = await dhcp.exchange(mac, asker, arch, signal);
    addresses.add(given.ip, given.prefix);
    if (asker !== 'loader') for (const to of new Set([given.server, given.nextServer])) addresses.askFor(to, given.ip);
    return given;
  };

  const firmware = await timed('firmware-dhcp', () => lease('firmware'));
  const { ip } = firmware;
  await timed('loader', async () => onBytes(await fetchLoader(firmware, means, signal)));
  const loader = await timed('loader-dhcp', () => lease('loader'));
  const http = (url: URL, more: Partial<HttpAsk> = {}) =>
    askHttp({ url, own: ip, signal, onWait: means.onWait, ...more });
  const script = await timed('script', async () => {
    const url = httpUrl(loader.bootFile);
    if (url === undefined) throw new StormFailure('no-boot-file', `iPXE was given ${loader.bootFile || 'no file'}`);
    const { body } = await http(url, { keep: true });
    const read = readScript(body.toString(), url);
    if (read === undefined) throw new StormFailure('no-boot-file', `${url.pathname} boots no kernel`);
    return read;
  });
  await timed('kernel', async () => onBytes((await http(script.kernel)).bytes));
  await timed('initrd', async () => {
    for (const url of script.initrds) onBytes((await http(url)).bytes);
  });
  await timed('system-dhcp', () => lease('system'));
  await reportIn(mac, ip, script, http, timed);
}

async function fetchLoader({ ip, nextServer, bootFile }: Given, means: StormMeans, signal: AbortSignal) {
  if (bootFile === '') throw new StormFailure('no-boot-file', 'firmware was given no file');
  const url = httpUrl(bootFile);
  if (url) return (await askHttp({ url, own: ip, signal, onWait: means.onWait })).bytes;
  const named = /^tftp:\/\/([0-9.]+)\/(.*)$/.exec(bootFile);
  const server = parseIpv4(named?.[1] ?? '') ?? nextServer;
  return fetchByTftp(ip, server, named?.[2] ?? bootFile, signal);
}

function httpUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  return url?.protocol === 'http:' ? url : undefined;
}

/** What the agent on the node says and asks; nothing where the kernel line names no server for it. */
async function reportIn(
  mac: Mac,
  ip: Ipv4,
  { api }: BootScript,
  http: (url: URL, more?: Partial<HttpAsk>) => ReturnType<typeof askHttp>,
  timed: Timed,
): Promise<void> {
  if (api === undefined) return;
  const began = performance.now();
  const boot = randomUUID();
  let token: string | undefined;
  let sequence = 1_000_000_000;
  const ask = (path: string, query: string, more: Partial<HttpAsk> = {}) =>
    http(new URL(`${path}?mac=${mac}&time=${Math.floor(Date.now() / 1000)}${query}`, api), {
      ...(token === undefined ? {} : { headers: { 'x-reveille-token': token } }),
      ...more,
    });
  const report = (step: string, status: 'started' | 'done') =>
    ask('/node/v1/report', '', {
      post: `boot=${boot}\nseq=${++sequence}\nstep=${step}\nstatus=${status}\nms=${Math.round(performance.now() - began)}\n\n`,
    });

  await timed('inventory', async () => {
    await report('agent', 'started');
    await report('agent', 'done');
    await report('network', 'done');
    await ask('/node/v1/inventory', '', { post: inventoryText(mac, ip) });
    await report('inventory', 'done');
  });
  await timed('bundle', async () => {
    const { headers, body } = await ask('/node/v1/bundle', '&token=want', { keep: true });
    const wanted = headers.get('x-reveille-sha256');
    if (wanted !== undefined && wanted !== createHash('sha256').update(body).digest('hex'))
      throw new StormFailure('damaged', 'the checksum of the bundle is another');
    token = headers.get('x-reveille-token');
  });
  await timed('ready', async () => {
    await report('bundle', 'done');
    await report('files', 'done');
    await report('settings', 'done');
    await report('ready', 'done');
  });
}

/** The hardware of a plain server. */
function inventoryText(mac: Mac, ip: Ipv4): string {
  return [
    'reveille.inventory=1',
    'arch=x86_64',
    'kernel=6.1.0-storm',
    'system.vendor=Reveille',
    'system.product=simulated node',
    'cpu.model=simulated',
    'cpu.count=32',
    'memory.kib=131072000',
    'nic.0.name=eth0',
    `nic.0.mac=${mac}`,
    'nic.0.boot=1',
    'nic.0.up=1',
    'nic.0.speed=10000',
    `nic.0.ip=${formatIpv4(ip)}`,
    'disk.0.name=sda',
    'disk.0.bytes=960197124096',
    '',
  ].join('\n');
}
