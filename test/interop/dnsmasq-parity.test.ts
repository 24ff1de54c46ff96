import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Said, say } from '../../src/dhcp/testing/fixture.ts';
import { readDnsmasq } from '../../src/import/dnsmasq/read.ts';
import { SiteDraft } from '../../src/import/draft.ts';
import { writeSite } from '../../src/import/write.ts';
import { OPTION } from '../../src/model/options.ts';
import { mac } from '../../src/site/testing/fixture.ts';
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

const bios = [pxeClient, arch(0)];
const efi = [say(OPTION.vendorClass, 'PXEClient:Arch:00007:UNDI:003016'), arch(7)];
const ipxe: (typeof ASKED)[] = [
  [77, Buffer.from('iPXE')],
  [175, Uint8Array.of(1, 1, 0)],
];
const MENUS_ASKED = asksFor(1, 3, 6, 43, 60, 66, 67);
const booter = (name: string, address: string, ...said: (typeof ASKED)[]) =>
  new Machine(name, mac(address), [MENUS_ASKED, ...said]).broadcast();
/** Firmware and iPXE of both kinds, a Raspberry Pi's neighbour that only wants an address, and a listed node. */
const booters = [
  booter('BIOS', '02:00:00:00:0b:01', ...bios),
  booter('UEFI', '02:00:00:00:0b:02', ...efi),
  booter('iPXE in BIOS', '02:00:00:00:0b:03', ...bios, ...ipxe),
  booter('iPXE in UEFI', '02:00:00:00:0b:04', ...efi, ...ipxe),
  booter('node01 in BIOS', '52:54:00:00:00:51', ...bios),
  booter('node01 in UEFI', '52:54:00:00:00:51', ...efi),
  booter('node02 in iPXE', '52:54:00:00:00:52', ...bios, ...ipxe),
  booter('no firmware', '02:00:00:00:0b:05'),
].map((one) => one.discover());

const COMMON = `port=0
log-facility=-
leasefile-ro
user=root
no-ping
dhcp-authoritative
interface=lan0
dhcp-option=option:router,10.0.0.1
dhcp-host=${SENTINEL},10.0.0.250
dhcp-match=set:ipxe,175
dhcp-match=set:bios,option:client-arch,0
dhcp-match=set:efi,option:client-arch,7
`;
const HOSTS = `dhcp-host=52:54:00:00:00:51,set:a,10.0.0.51,node01
dhcp-host=52:54:00:00:00:52,set:a,set:b,10.0.0.52,node02
`;
const RANGE = 'dhcp-range=10.0.0.100,10.0.0.149,255.255.255.0,2h\n';

/** What is told to whom by tags, each with every kind of client. */
const BOOTS: { readonly [name: string]: string } = {
  'not iPXE, and the rest': 'dhcp-boot=tag:!ipxe,undionly.kpxe\ndhcp-boot=http://10.0.0.2/boot.ipxe\n',
  'two tags of different kinds': `dhcp-boot=tag:efi,tag:ipxe,http://10.0.0.2/efi.ipxe
dhcp-boot=tag:efi,tag:!ipxe,ipxe.efi
dhcp-boot=tag:!efi,tag:ipxe,http://10.0.0.2/bios.ipxe
dhcp-boot=tag:!efi,tag:!ipxe,undionly.kpxe
`,
  'tag-if': `tag-if=set:rom,tag:bios,tag:!ipxe
tag-if=set:chain,set:other,tag:rom
dhcp-boot=tag:chain,undionly.kpxe
dhcp-boot=tag:ipxe,boot.ipxe
dhcp-boot=tag:efi,tag:!ipxe,ipxe.efi,,10.0.0.9
`,
  'servers by tag': `dhcp-boot=undionly.kpxe
dhcp-boot=tag:efi,ipxe.efi,,10.0.0.9
dhcp-boot=tag:ipxe,boot.ipxe
`,
  'tags of hosts': `dhcp-boot=undionly.kpxe
dhcp-boot=tag:a,pxelinux.0
dhcp-boot=tag:b,other.0,,10.0.0.9
`,
  'tags of hosts, and iPXE over them': `dhcp-boot=undionly.kpxe
dhcp-boot=tag:a,pxelinux.0
dhcp-boot=tag:ipxe,boot.ipxe
`,
  'hosts that are known': 'dhcp-boot=tag:known,node.0\ndhcp-boot=stranger.0\ndhcp-boot=tag:known,tag:efi,node.efi\n',
  'firmware of a node': 'dhcp-boot=tag:a,tag:bios,tag:!ipxe,a.0\ndhcp-boot=x.0\n',
  'pools with tags of their own': `dhcp-range=set:green,10.0.0.150,10.0.0.160,255.255.255.0,2h
dhcp-range=set:red,tag:ipxe,10.0.0.170,10.0.0.175,255.255.255.0,2h
dhcp-option=tag:green,option:dns-server,10.0.0.5
dhcp-option=option:dns-server,10.0.0.4
dhcp-boot=tag:red,red.0
`,
  names: 'dhcp-boot=pxelinux.0,10.0.0.9\n',
  'boot options':
    'dhcp-option=67,pxelinux.0\ndhcp-option=tag:efi,option:bootfile-name,ipxe.efi\ndhcp-option=66,boothost2\n',
  'services with files': `pxe-service=x86PC,"Boot",pxelinux
pxe-service=x86-64_EFI,"Boot",ipxe.efi
dhcp-boot=tag:ipxe,http://10.0.0.2/boot.ipxe
`,
  'a menu': 'pxe-service=0,"Raspberry Pi Boot"\n',
  'a menu of several items': `pxe-prompt="Press F8",3
pxe-service=x86PC,"From the disk",0
pxe-service=x86PC,"Windows",1,10.0.0.9
pxe-service=x86-64_EFI,"Looked for",7
`,
  'options by tag': `dhcp-option=option:ntp-server,10.0.0.3
dhcp-option=tag:efi,option:dns-server,10.0.0.7
dhcp-option=tag:bios,tag:!ipxe,option:dns-server,10.0.0.6
dhcp-option=tag:ipxe,option:dns-server,10.0.0.5
dhcp-option=option:dns-server,10.0.0.4
`,
};

const only =
  (whose: 'theirs' | 'ours', ...codes: number[]) =>
  (difference: Difference): boolean =>
    difference[whose === 'ours' ? 'theirs' : 'ours'] === 'absent' &&
    codes.some((code) => difference.field === `option ${code}`);

const textIn = (hex: string) => Buffer.from(hex, 'hex').toString('latin1');

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
    is: ({ field, theirs, ours }) =>
      (/^(sname|file)$/.test(field) && theirs === '') ||
      (field === 'option 66' && theirs === 'absent') ||
      (/^option 6[67]$/.test(field) && theirs === `${ours}00`),
  },
  {
    what: 'boot server that has a name and an address',
    theirs: 'the name in option 66',
    ours: 'the address there too',
    why: 'firmware asks no name server',
    is: ({ field, theirs, ours }) =>
      field === 'option 66' && textIn(theirs) === 'boothost\0' && textIn(ours) === '10.0.0.9',
  },
  {
    what: 'boot server that is an address in place of a name',
    theirs: 'in option 66 alone',
    ours: 'in siaddr as well',
    why: 'firmware fetches from either, and dnsmasq has nothing to give itself',
    is: ({ configuration, field, ours }) => configuration === 'names' && field === 'siaddr' && ours === '10.0.0.9',
  },
  {
    what: 'boot files of a menu (`pxe-service`)',
    theirs: 'firmware asks for the file of an item at port 4011',
    ours: 'the file of the first item is told at once',
    why: 'there is nothing to choose before the menu of the site',
    is: ({ configuration, field, theirs }) =>
      configuration === 'services with files' &&
      ((field === 'option 43' && theirs.startsWith('060103')) || (field === 'option 67' && theirs === 'absent')),
  },
  {
    what: 'menu without items',
    theirs: 'sent to firmware that is told to boot nothing',
    ours: 'not sent',
    why: 'it says nothing',
    is: ({ configuration, field, theirs, ours, step }) =>
      configuration === 'a menu' &&
      ours === 'absent' &&
      ((field === 'option 43' && theirs === '0601080a0400505845ff') || (field === 'option 60' && /UEFI/.test(step))),
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
    is: ({ step, field }) =>
      /^(a stranger that boots|BIOS|UEFI|iPXE in)/.test(step) && /^option (51|58|59)$/.test(field),
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
      [theirs, ours].every((each) => /^10\.0\.0\.1[0-7]\d(:68)?$/.test(each)),
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
  for (const [name, lines] of Object.entries(BOOTS)) {
    test(`are ours, imported: ${name}`, { timeout: 120_000 }, async () => {
      const configuration = COMMON + RANGE + HOSTS + lines;
      const of: Play = { name, addresses: ['10.0.0.2/24'], beyond: [], steps: booters };
      const made = (folder: string) => importSite(configuration, of, folder);
      expected.hold(await play(of, () => startDnsmasq(configuration), made));
    });
  }
  test('differ in all that is listed', () => expected.end());
});
