import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Said, say } from '../../src/dhcp/fixtures.ts';
import { OPTION } from '../../src/dhcp/options.ts';
import { readDnsmasq } from '../../src/import/dnsmasq/read.ts';
import { SiteDraft } from '../../src/import/draft.ts';
import { writeSite } from '../../src/import/write.ts';
import { mac } from '../../src/site/fixture.ts';
import { requireTools } from './dhcp.rig.ts';
import { type Difference, Expected, interfacesOf, type Meant, type Play, play } from './parity.rig.ts';
import { asksFor, Machine } from './twin-clients.ts';
import { SENTINEL, startPeer } from './twins.rig.ts';

requireTools('dnsmasq');

const NODE01 = mac('52:54:00:00:00:51');
const IGNORED = mac('52:54:00:00:00:66');
const guest = mac('02:00:00:00:0a:01');
const pxe: readonly Said[] = [
  asksFor(1, 3, 6, 66, 67),
  say(OPTION.vendorClass, 'PXEClient:Arch:00000:UNDI:002001'),
  say(OPTION.clientArch, [0]),
];

const DNSMASQ = `port=0
interface=lan0
bind-interfaces
dhcp-authoritative
no-ping
log-facility=-
user=root
leasefile-ro
dhcp-range=10.0.0.100,10.0.0.119,255.255.255.0,10m
dhcp-option=option:router,10.0.0.1
dhcp-option=option:dns-server,192.0.2.53
dhcp-option=option:domain-name,example.org
dhcp-host=${SENTINEL},10.0.0.250
dhcp-host=${NODE01},node01,10.0.0.51
dhcp-vendorclass=set:pxe,PXEClient
dhcp-boot=tag:pxe,pxelinux.0,,10.0.0.9
`;

/** The same for us, as an operator would write it. */
const SITE = `
networks:
  lan:
    interface: lan0
    subnet: 10.0.0.0/24
    gateway: 10.0.0.1
    dns: [192.0.2.53]
    domain: example.org
    lease: 10m
    pools: [{ range: 10.0.0.100-10.0.0.119, allow: any }]
classes:
  pxe: { vendorClass: '*PXEClient*', nextServer: 10.0.0.9, bootFile: pxelinux.0 }
nodes:
  sentinel: { mac: ${SENTINEL}, ip: 10.0.0.250 }
  node01: { mac: ${NODE01}, ip: 10.0.0.51 }
dhcp: { probe: off }
`;

const node01 = new Machine('node01', NODE01);
const firmware = new Machine("node01's firmware", NODE01, pxe);
const stranger = new Machine('a stranger', guest);
const booting = new Machine('a stranger that boots', mac('02:00:00:00:0a:02'), pxe);
const other = new Machine('another', IGNORED);

const PLAY: Play = {
  name: 'dnsmasq',
  addresses: ['10.0.0.2/24'],
  beyond: [],
  steps: [
    firmware.discover(),
    firmware.select(),
    node01.discover(),
    node01.select(),
    node01.renew('10.0.0.2'),
    node01.reboot(),
    node01.reboot('10.0.0.99'),
    node01.says('dhclient: DISCOVER'),
    node01.says('udhcpc: DISCOVER'),
    node01.says('systemd-networkd: DISCOVER'),
    node01.says("iPXE in a network card's ROM: DISCOVER"),
    node01.says('UEFI (OVMF): DISCOVER'),
    booting.discover(),
    stranger.discover(),
    stranger.select(),
    stranger.rebind(),
    stranger.reboot('192.168.7.7'),
    other.selectThat('10.0.0.51', '10.0.0.2'),
    other.inform('10.0.0.33'),
    stranger.release(),
  ],
};

/** A rack with tags, of which the importer has to make classes. */
const TAGS = `port=0
log-facility=-
leasefile-ro
user=root
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
const pxeClient = say(OPTION.vendorClass, 'PXEClient:Arch:00000:UNDI:002001');
const arch = (type: number) => say(OPTION.clientArch, [type]);
const machine = (name: string, address: string, ...said: (typeof ASKED)[]) =>
  new Machine(name, mac(address), [ASKED, ...said]).broadcast();

const NODE = machine('node01', '52:54:00:00:00:51');
const GUEST = machine('a guest', '02:00:00:00:0a:01');
const TAGS_PLAY: Play = {
  name: 'tags',
  addresses: ['10.0.0.2/24'],
  beyond: [],
  steps: [
    NODE.discover(),
    NODE.select(),
    NODE.renew('10.0.0.2'),
    machine('node01 in BIOS', '52:54:00:00:00:51', pxeClient, arch(0)).discover(),
    machine('node01 in UEFI', '52:54:00:00:00:51', pxeClient, arch(7)).discover(),
    machine('node01 in iPXE', '52:54:00:00:00:51', pxeClient, [77, Buffer.from('iPXE')]).discover(),
    machine('node02', '52:54:00:00:00:52').discover(),
    GUEST.discover(),
    GUEST.select(),
    machine('a machine of the burn-in', '00:1a:4b:00:00:01').discover(),
    machine('an ignored machine', '52:54:00:00:00:53').discover(),
    machine('a machine of an ignored make', '02:50:56:00:00:01').discover(),
  ],
};

const only =
  (whose: 'theirs' | 'ours', ...codes: number[]) =>
  (difference: Difference): boolean =>
    difference[whose === 'ours' ? 'theirs' : 'ours'] === 'absent' &&
    codes.some((code) => difference.field === `option ${code}`);

const namesIn = (hex: string) => OPTION.search.kind.decode(Buffer.from(hex, 'hex'))?.join(' ');

/** Differences from dnsmasq that are meant. */
const MEANT: readonly Meant[] = [
  {
    what: 'boot server where nothing boots',
    theirs: 'itself',
    ours: 'none',
    why: 'there is nothing to fetch from it',
    is: ({ field, theirs, ours }) => field === 'siaddr' && theirs === '10.0.0.2' && ours === '0.0.0.0',
  },
  {
    what: 'boot file and server',
    theirs: 'in options where they are asked for, ended by a NUL; else in their fields',
    ours: 'in both, without a NUL',
    why: 'some firmware reads one place, some the other',
    is: ({ field }) => /^(sname|file|option 66|option 67)$/.test(field),
  },
  {
    what: 'names to search',
    theirs: 'what they share is packed once',
    ours: 'each is written out',
    why: 'every client reads that',
    is: ({ field, theirs, ours }) => field === 'option 119' && namesIn(theirs) === namesIn(ours),
  },
  {
    what: 'words of PXE and iPXE',
    theirs: 'only of its own boot menu',
    ours: 'to those who are told to boot',
    why: 'firmware otherwise waits for a proxy or a boot server that is not there',
    is: only('ours', 43, 60, 175),
  },
  {
    what: 'client and machine identifier',
    theirs: 'not repeated',
    ours: 'repeated',
    why: 'RFC 6842 and RFC 4578',
    is: only('ours', 61, 97),
  },
  {
    what: 'broadcast address',
    theirs: 'always sent',
    ours: 'sent where it is asked for',
    why: 'it follows from the mask',
    is: only('theirs', 28),
  },
  {
    what: 'host name of a client that names itself',
    theirs: 'not told',
    ours: 'told',
    why: 'a node has the name that the site gives it',
    is: only('ours', 12),
  },
  {
    what: 'lease of firmware from a pool, and what follows from it',
    theirs: 'like any other',
    ours: 'two minutes at most',
    why: 'a boot goes through several programs',
    is: ({ step, field }) => step.startsWith('a stranger that boots') && /^option (51|58|59)$/.test(field),
  },
  {
    what: 'renewal times of an answer to one that has its lease',
    theirs: 'a little earlier, by chance',
    ours: 'always the same',
    why: 'each answer follows from the site alone',
    is: ({ step, field }) => /: (RENEW|REBIND|INIT-REBOOT)$/.test(step) && /^option (58|59)$/.test(field),
  },
  {
    what: 'seconds since the client began',
    theirs: 'repeated',
    ours: 'zero',
    why: 'RFC 2131 table 3',
    is: ({ field }) => field === 'secs',
  },
  {
    what: 'words and broadcast flag of a refusal',
    theirs: 'its own, always set',
    ours: 'ours, as the client set it',
    why: 'the words are for people; it is broadcast all the same',
    is: ({ field, answer }) => answer === 'nak' && /^(flags|option 56)$/.test(field),
  },
  {
    what: 'which free address of a pool',
    theirs: "by a hash of the machine's address",
    ours: 'the lowest',
    why: 'both are lasting: the machine is known by its lease',
    is: ({ field, theirs, ours }) =>
      /^(sent to|yiaddr|ciaddr)$/.test(field) &&
      [theirs, ours].every((each) => /^10\.0\.0\.1[0-4]\d(:68)?$/.test(each)),
  },
];

function startDnsmasq(configuration: string) {
  return startPeer('dnsmasq -k --conf-file=dnsmasq.conf', { 'dnsmasq.conf': configuration }, 'DHCP, IP range');
}

/** Writes the site that `reveille import` makes of a dnsmasq.conf. */
async function importSite(configuration: string, of: Play, folder: string): Promise<void> {
  const file = join(folder, 'dnsmasq.conf');
  writeFileSync(file, configuration);
  const draft = new SiteDraft();
  await readDnsmasq(draft, file, { interface: 'lan0', tree: false, addresses: interfacesOf(of) });
  rmSync(file);
  await writeSite(draft, folder, [file]);
}

describe('the answers of dnsmasq', () => {
  const expected = new Expected(MEANT);
  test('are ours', { timeout: 120_000 }, async () => {
    const byHand = (folder: string) => writeFileSync(join(folder, 'site.yaml'), SITE);
    expected.hold(await play(PLAY, () => startDnsmasq(DNSMASQ), byHand));
  });
  test('are ours, imported', { timeout: 120_000 }, async () => {
    const made = (folder: string) => importSite(DNSMASQ, PLAY, folder);
    expected.hold(await play(PLAY, () => startDnsmasq(DNSMASQ), made));
  });
  test('are ours, imported with tags', { timeout: 120_000 }, async () => {
    const made = (folder: string) => importSite(TAGS, TAGS_PLAY, folder);
    expected.hold(await play(TAGS_PLAY, () => startDnsmasq(TAGS), made));
  });
  test('differ in all that is listed', () => expected.end());
});
