import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { decideBoot } from '../../src/boot/decide.ts';
import { say } from '../../src/dhcp/fixtures.ts';
import { OPTION } from '../../src/dhcp/options.ts';
import { startDhcpServer } from '../../src/dhcp/server.ts';
import { readDnsmasq } from '../../src/import/dnsmasq/read.ts';
import { SiteDraft } from '../../src/import/draft.ts';
import { writeSite } from '../../src/import/write.ts';
import { formatIpv4 } from '../../src/net/ipv4.ts';
import { ip, mac } from '../../src/site/fixture.ts';
import { loadSite } from '../../src/site/load.ts';
import { memoryStore, requireTools } from './dhcp.rig.ts';
import { ClientEnd, type Heard, layTwins, PEER_SPACE, SENTINEL, takeTwinsDown } from './dhcpd.rig.ts';
import { asksFor, Machine, note, type Step, type Told } from './dhcpd-clients.ts';

requireTools('dnsmasq');

const CONFIGURATION = `port=0
no-ping
dhcp-authoritative
interface=lan0
dhcp-range=set:rack,10.0.0.100,10.0.0.139,255.255.255.0,2h
dhcp-range=set:rack,tag:burnin,10.0.0.140,10.0.0.149,255.255.255.0,2h
domain=rack.example.org
dhcp-option=option:router,10.0.0.1
dhcp-option=option:dns-server,10.0.0.1,9.9.9.9
dhcp-option=option:ntp-server,0.0.0.0
dhcp-option=option:mtu,1400
dhcp-option=option:domain-search,rack.example.org,example.org
dhcp-option=option:classless-static-route,10.1.0.0/16,10.0.0.254,0.0.0.0/0,10.0.0.1
dhcp-option=tag:storage,option:mtu,9000
dhcp-option=tag:storage,224,"a shelf"
dhcp-mac=set:burnin,00:1a:4b:*:*:*
dhcp-match=set:efi64,option:client-arch,7
dhcp-userclass=set:ipxe,iPXE
dhcp-boot=undionly.kpxe
dhcp-boot=tag:efi64,snponly.efi,boothost,10.0.0.9
dhcp-boot=tag:ipxe,http://10.0.0.2/boot.ipxe
dhcp-host=${SENTINEL},10.0.0.250
dhcp-host=52:54:00:00:00:51,10.0.0.51,node01
dhcp-host=52:54:00:00:00:52,set:storage,10.0.0.52,node02
dhcp-host=52:54:00:00:00:53,ignore
dhcp-host=02:50:56:*:*:*,ignore
`;

const ASKED = asksFor(1, 3, 6, 12, 15, 26, 42, 66, 67, 119, 121, 224);
const pxe = say(OPTION.vendorClass, 'PXEClient:Arch:00000:UNDI:002001');
const arch = (type: number) => say(OPTION.clientArch, [type]);
const machine = (name: string, address: string, ...said: (typeof ASKED)[]) =>
  new Machine(name, mac(address), [ASKED, ...said]).broadcast();

const NODE = machine('node01', '52:54:00:00:00:51');
const GUEST = machine('a guest', '02:00:00:00:0a:01');
const STEPS: readonly Step[] = [
  NODE.discover(),
  NODE.select(),
  NODE.renew('10.0.0.2'),
  machine('node01 in BIOS', '52:54:00:00:00:51', pxe, arch(0)).discover(),
  machine('node01 in UEFI', '52:54:00:00:00:51', pxe, arch(7)).discover(),
  machine('node01 in iPXE', '52:54:00:00:00:51', pxe, [77, Buffer.from('iPXE')]).discover(),
  machine('node02', '52:54:00:00:00:52').discover(),
  GUEST.discover(),
  GUEST.select(),
  machine('a machine of the burn-in', '00:1a:4b:00:00:01').discover(),
  machine('an ignored machine', '52:54:00:00:00:53').discover(),
  machine('a machine of an ignored make', '02:50:56:00:00:01').discover(),
];

/** What a client goes by, by name; an address of a pool stands for any of it. */
function fieldsOf([heard]: readonly Heard[]): ReadonlyMap<string, string> {
  if (!heard) return new Map([['answer', 'none']]);
  const { packet } = heard;
  const address = formatIpv4(packet.yiaddr);
  const last = Number(address.split('.')[3]);
  const pool = last >= 100 && last <= 139 ? 'of the pool' : last >= 140 && last <= 149 ? 'of the burn-in' : address;
  const file = packet.file === '' ? Buffer.from(packet.options.get(67) ?? []).toString() : packet.file;
  return new Map([
    ['answer', String(packet.options.get(53)?.[0])],
    ['address', pool],
    ['boot file', file.replace(/\0+$/, '')],
    // Where nothing is booted nobody asks the next server.
    ['next server', file === '' ? '' : formatIpv4(packet.siaddr)],
    // The same names may be written in several ways.
    ['option 119', String(OPTION.search.kind.decode(packet.options.get(119) ?? new Uint8Array()))],
    ...[1, 3, 6, 12, 15, 26, 42, 51, 54, 121, 224].map(
      (code) => [`option ${code}`, Buffer.from(packet.options.get(code) ?? []).toString('hex')] as const,
    ),
  ]);
}

async function startDnsmasq(folder: string) {
  const file = join(folder, 'dnsmasq.conf');
  writeFileSync(file, CONFIGURATION);
  const where = [`--conf-file=${file}`, `--dhcp-leasefile=${join(folder, 'leases')}`, '--pid-file='];
  const as = ['--no-daemon', '--user=root', '--log-dhcp'];
  const child = spawn('ip', ['netns', 'exec', PEER_SPACE, 'dnsmasq', ...as, ...where], { stdio: 'pipe' });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (log += text));
  for (const end = Date.now() + 10_000; !log.includes('sockets bound') && !log.includes('DHCP, IP range'); ) {
    if (child.exitCode !== null || Date.now() > end) assert.fail(`dnsmasq does not start:\n${log}`);
    await sleep(20);
  }
  return {
    log: () => log,
    stop: async () => {
      const ended = once(child, 'exit');
      if (child.exitCode === null && child.kill('SIGKILL')) await ended;
    },
  };
}

test('a site that was imported from dnsmasq.conf answers as dnsmasq does', { timeout: 120_000 }, async () => {
  await using opened = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'reveille-dnsmasq-'));
  opened.defer(() => rmSync(folder, { recursive: true }));
  opened.defer(takeTwinsDown);
  layTwins(['10.0.0.2/24']);
  const peer = await startDnsmasq(folder);
  opened.defer(peer.stop);

  const draft = new SiteDraft();
  const addresses = new Map([['lan0', [{ ip: ip('10.0.0.2'), prefix: 24 }]]]);
  await readDnsmasq(draft, join(folder, 'dnsmasq.conf'), { addresses, tree: false });
  await writeSite(draft, join(folder, 'site'), ['dnsmasq.conf']);
  const loaded = await loadSite(join(folder, 'site'));
  if (!loaded.ok) assert.fail(loaded.findings.map(({ message }) => message).join('\n'));
  const server = await startDhcpServer({
    site: () => loaded.site,
    store: memoryStore(),
    boot: (client, node, network) => decideBoot(client, node, { ip: network.server, httpPort: 8080 }),
    events: () => {},
  });
  opened.defer(() => server.close());

  const ends = { dnsmasq: new ClientEnd('dhcpd'), reveille: new ClientEnd('reveille') };
  opened.defer(() => ends.dnsmasq.close());
  opened.defer(() => ends.reveille.close());
  const told = { dnsmasq: new Map() as Told, reveille: new Map() as Told };
  const ask = async (which: keyof typeof ends, step: Step) => {
    const heard = await ends[which].ask(step.saying(told[which]));
    for (const { packet } of heard) note(told[which], step.mac, packet);
    return fieldsOf(heard);
  };
  const differences: string[] = [];
  for (const step of STEPS) {
    const [theirs, ours] = await Promise.all([ask('dnsmasq', step), ask('reveille', step)]);
    for (const field of new Set([...theirs.keys(), ...ours.keys()])) {
      if (theirs.get(field) === ours.get(field)) continue;
      differences.push(`${step.name}: ${field}: dnsmasq ${theirs.get(field)}, reveille ${ours.get(field)}`);
    }
  }
  assert.deepEqual(differences, []);
});
