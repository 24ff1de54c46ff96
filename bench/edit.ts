/**
 * An edit of a site of 10,000 nodes, of which 2,000 have a folder: for how long it holds up the thread that answers, and after how long
 * it is served. Beside it the same edit read on that thread.
 *   node_modules/.bin/node bench/edit.ts
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout as pause, setImmediate } from 'node:timers/promises';
import { LeaseBook } from '../src/dhcp/book.ts';
import { formatIpv4, type Ipv4, parseIpv4 } from '../src/model/ipv4.ts';
import { loadSite } from '../src/site/load.ts';
import type { Site } from '../src/site/site.ts';
import { followSiteAside } from '../src/siteFollower.ts';
import { report } from './report.ts';
import { withFolder } from './wire.ts';

const NODES = 10_000;
const FOLDERS = 2000;
const ROUNDS = 5;
const FIRST = parseIpv4('10.10.1.0') as Ipv4;

function siteText(rack: string): string {
  const nodes = Array.from({ length: NODES }, (_, i) => {
    const [high, low] = [i >> 8, i & 255].map((byte) => byte.toString(16).padStart(2, '0'));
    const ip = formatIpv4((FIRST + i) as Ipv4);
    return `  node${i}: { mac: 52:54:00:00:${high}:${low}, ip: ${ip}, profiles: [base], vars: { rack: ${rack}${i >> 5} } }\n`;
  });
  return `site: bench
networks: { rack: { subnet: 10.10.0.0/16, server: 10.10.0.2, pools: [{ range: 10.10.200.0-10.10.210.255 }] } }
profiles: { base: { kernelArgs: [console=ttyS0], overlays: [base], vars: { nova: { ram: 1.5, cpu: 4 } } } }
nodes:
${nodes.join('')}`;
}

/** `cpu`: the most processor time that one turn of the event loop took; `delay`: the most that a timer was late. Milliseconds. */
type Held = { readonly cpu: number; readonly delay: number; readonly ms: number };

async function held(work: () => Promise<unknown>): Promise<Held> {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  let [cpu, before] = [0, process.threadCpuUsage()];
  const turn = setInterval(() => {
    const { user, system } = process.threadCpuUsage(before);
    cpu = Math.max(cpu, (user + system) / 1000);
    before = process.threadCpuUsage();
  }, 1);
  delays.enable();
  const begun = performance.now();
  await work();
  const ms = performance.now() - begun;
  await pause(20);
  delays.disable();
  clearInterval(turn);
  return { cpu, delay: delays.max / 1e6, ms };
}

function worst(all: readonly Held[]): Held {
  const most = (of: (one: Held) => number) => Math.max(...all.map(of));
  return { cpu: most(({ cpu }) => cpu), delay: most(({ delay }) => delay), ms: most(({ ms }) => ms) };
}

await withFolder(async (folder) => {
  const site = join(folder, 'site');
  await mkdir(join(site, 'overlays/base/etc'), { recursive: true });
  await writeFile(join(site, 'overlays/base/etc/motd.j2'), 'hello {{ node.name }}\n');
  for (let i = 0; i < FOLDERS; i++) {
    await mkdir(join(site, `nodes/node${i}/files/etc`), { recursive: true });
    await writeFile(join(site, `nodes/node${i}/files/etc/motd`), 'hello\n');
  }
  const write = async (text: string) => {
    await writeFile(join(folder, 'new'), text);
    await rename(join(folder, 'new'), join(site, 'site.yaml'));
  };
  await write(siteText('a'));

  const book = new LeaseBook();
  let taken = Promise.withResolvers<void>();
  const take = async (next: Site) => {
    await setImmediate();
    book.configure(next);
    taken.resolve();
  };
  const result = await followSiteAside(site, join(folder, 'state'), {
    onLoaded: (next) => void take(next),
    onRejected: () => taken.reject(new Error('the edit was refused')),
    faulted: (error) => taken.reject(error),
  });
  if (!result.ok) throw new Error(JSON.stringify(result.findings));
  const { followed } = result;
  const now = Date.now();
  const leases = [...followed.current().nodes.values()].flatMap(({ ip, macs: [mac] }) =>
    ip === undefined
      ? []
      : [{ ip, mac, network: 'rack', state: 'bound' as const, start: now, expires: now + 3_600_000 }],
  );
  book.configure(followed.current());
  book.load(leases);

  const aside: Held[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    taken = Promise.withResolvers();
    aside.push(
      await held(async () => {
        await write(siteText(`b${round}`));
        await taken.promise;
      }),
    );
  }
  await followed.close();
  const here: Held[] = [];
  for (let round = 0; round < ROUNDS; round++) here.push(await held(() => loadSite(site)));

  const [ours, theirs] = [worst(aside), worst(here)];
  console.log(
    `an edit is in force ${ours.ms.toFixed(0)} ms after it is written, at worst, 150 ms of which are for more of it`,
  );
  report([
    {
      what: 'most processor time in one turn',
      unit: 'ms',
      ours: ours.cpu,
      peer: 'read on the same thread',
      theirs: theirs.cpu,
      better: 'less',
    },
    {
      what: 'most that a timer was late',
      unit: 'ms',
      ours: ours.delay,
      peer: 'read on the same thread',
      theirs: theirs.delay,
      better: 'less',
    },
  ]);
});
