import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadSite } from '../../site/load.ts';
import { ip } from '../../site/testing/fixture.ts';
import { findingText, type SiteFiles, withSiteFolder } from '../../site/testing/folderFixture.ts';
import { unprovenClaims } from '../claims.ts';
import { SiteDraft, type SiteText } from '../draft.ts';
import { writeSite } from '../write.ts';
import { readDnsmasq } from './read.ts';

const HEAD = `port=0
interface=br0
dhcp-range=10.0.0.50,10.0.0.99,255.255.255.0,12h
dhcp-option=3,10.0.0.1
`;

type Imported = { readonly site: SiteText; readonly remarks: readonly string[] };

/** Imports lines, as a machine with 10.0.0.2 on br0. The new site loads, and all that is called taken over is there. */
async function imported(files: SiteFiles, use: (read: Imported) => void): Promise<void> {
  await withSiteFolder(files, async (folder) => {
    const draft = new SiteDraft();
    const addresses = new Map([['br0', [{ ip: ip('10.0.0.2'), prefix: 24 }]]]);
    await readDnsmasq(draft, join(folder, 'dnsmasq.conf'), { addresses, tree: false });
    assert.deepEqual(unprovenClaims(draft), []);
    await writeSite(draft, join(folder, 'out'), ['dnsmasq.conf']);
    const loaded = await loadSite(join(folder, 'out'));
    assert.deepEqual(loaded.ok ? [] : loaded.findings.map(findingText), []);
    const remarks = draft.remarks.map(({ kind, what, why = '' }) => `${kind} ${what}: ${why}`);
    use({ site: draft.site, remarks });
  });
}

/** What is told of a boot, and of options, by owner: `network lan`, `pool 0 of lan`, `class ipxe`, `profile a`. */
function given({ networks = {}, classes = {}, profiles = {} }: SiteText): { readonly [owner: string]: object } {
  const owners: [string, object][] = [
    ...Object.entries(networks).flatMap(([name, { pools = [], ...network }]): [string, object][] => [
      [`network ${name}`, network],
      ...pools.map((pool, i): [string, object] => [`pool ${i} of ${name}`, pool]),
    ]),
    ...Object.entries(classes).map(([name, one]): [string, object] => [`class ${name}`, one]),
    ...Object.entries(profiles).map(([name, one]): [string, object] => [`profile ${name}`, one]),
  ];
  const kept = (owner: object) =>
    Object.fromEntries(
      Object.entries(owner).filter(([key]) => ['bootFile', 'nextServer', 'options', 'loader', 'dns'].includes(key)),
    );
  return Object.fromEntries(
    owners.map(([name, owner]) => [name, kept(owner)] as const).filter(([, owner]) => Object.keys(owner).length > 0),
  );
}

const IPXE = 'dhcp-match=set:ipxe,175\n';
const EFI = 'dhcp-match=set:efi,option:client-arch,7\n';
const BIOS = 'dhcp-match=set:bios,option:client-arch,0\n';
const NODES = `dhcp-host=52:54:00:00:00:51,set:a,10.0.0.51,n1
dhcp-host=52:54:00:00:00:52,set:a,set:b,10.0.0.52,n2
`;
const RPI = '06:01:03:0a:04:00:50:58:45:09:14:00:00:11:52:61:73:70:62:65:72:72:79:20:50:69:20:42:6f:6f:74:ff';
const PXE_MENU = (hex: string) => ({ 'vendor-class-identifier': 'PXEClient', 'vendor-encapsulated-options': { hex } });

describe('what dnsmasq gives by tags', () => {
  const rows: readonly (readonly [what: string, lines: string, given: { readonly [owner: string]: object }])[] = [
    [
      'all but one tag, and the rest',
      `${IPXE}dhcp-boot=tag:!ipxe,undionly.kpxe\ndhcp-boot=http://10.0.0.2/x.ipxe\n`,
      { 'network lan': { bootFile: 'undionly.kpxe' }, 'class ipxe': { bootFile: 'http://10.0.0.2/x.ipxe' } },
    ],
    [
      'all but one tag, in the older form',
      `${IPXE}dhcp-boot=net:#ipxe,undionly.kpxe\ndhcp-boot=net:ipxe,x.ipxe\n`,
      { 'network lan': { bootFile: 'undionly.kpxe' }, 'class ipxe': { bootFile: 'x.ipxe' } },
    ],
    [
      'tags of different kinds together, and neither',
      `${IPXE}${EFI}dhcp-boot=tag:efi,tag:ipxe,a\ndhcp-boot=tag:efi,tag:!ipxe,b\ndhcp-boot=tag:!efi,tag:ipxe,c\ndhcp-boot=tag:!efi,tag:!ipxe,d\n`,
      {
        'network lan': { bootFile: 'd' },
        'class efi': { bootFile: 'b' },
        'class ipxe': { bootFile: 'c' },
        'class efi-ipxe': { bootFile: 'a' },
      },
    ],
    [
      'tags that are computed, one of another',
      `${IPXE}${BIOS}tag-if=set:rom,tag:bios,tag:!ipxe\ntag-if=set:chain,tag:rom\ndhcp-boot=tag:chain,u\ndhcp-boot=tag:ipxe,x\n`,
      { 'class bios': { bootFile: 'u' }, 'class ipxe': { bootFile: 'x' } },
    ],
    [
      'the last of several lines, those without tags before all others',
      `${IPXE}${EFI}dhcp-boot=tag:ipxe,x\ndhcp-boot=tag:efi,e\ndhcp-boot=first\ndhcp-boot=plain\n`,
      { 'network lan': { bootFile: 'plain' }, 'class ipxe': { bootFile: 'x' }, 'class efi': { bootFile: 'e' } },
    ],
    [
      'a server beside a file from here',
      `${IPXE}${EFI}dhcp-boot=tag:efi,e,,10.0.0.9\ndhcp-boot=tag:ipxe,x\n`,
      {
        'class efi': { bootFile: 'e', nextServer: '10.0.0.9' },
        'class ipxe': { bootFile: 'x', nextServer: '10.0.0.2' },
      },
    ],
    [
      'a server in place of its name',
      'dhcp-boot=pxelinux.0,10.0.0.9\n',
      { 'network lan': { bootFile: 'pxelinux.0', nextServer: '10.0.0.9' } },
    ],
    [
      'a server by its name',
      'dhcp-boot=pxelinux.0,boot.example.org\n',
      { 'network lan': { bootFile: 'pxelinux.0', options: { 'tftp-server-name': 'boot.example.org' } } },
    ],
    ['a server without a file', 'dhcp-boot=,,10.0.0.9\n', { 'network lan': { nextServer: '10.0.0.9' } }],
    [
      'options 66 and 67, by name and by number',
      `${EFI}dhcp-option=option:tftp-server,10.0.0.9\ndhcp-option=67,x.0\ndhcp-option=tag:efi,option:bootfile-name,x.efi\n`,
      {
        'network lan': { bootFile: 'x.0', nextServer: '10.0.0.9' },
        'class efi': { bootFile: 'x.efi' },
      },
    ],
    [
      'siaddr as an option',
      'dhcp-option=option:server-ip-address,10.0.0.9\n',
      { 'network lan': { nextServer: '10.0.0.9' } },
    ],
    [
      'tags of hosts',
      `${NODES}dhcp-boot=u\ndhcp-boot=tag:a,a\ndhcp-boot=tag:b,b\n`,
      { 'network lan': { bootFile: 'u' }, 'profile a': { bootFile: 'a' }, 'profile b': { bootFile: 'b' } },
    ],
    [
      'tags of hosts that what a machine says overrules',
      `${IPXE}${NODES}dhcp-boot=tag:a,a\ndhcp-boot=tag:ipxe,x\n`,
      {
        'class ipxe': { bootFile: 'x' },
        'class a': { bootFile: 'a' },
        'class a-ipxe': { bootFile: 'x' },
      },
    ],
    [
      'hosts that are listed',
      `${NODES}dhcp-boot=tag:known,k\ndhcp-boot=s\n`,
      { 'network lan': { bootFile: 's' }, 'profile known': { bootFile: 'k' } },
    ],
    [
      'machines that a pattern makes known',
      'dhcp-host=52:54:00:*:*:*,set:v\ndhcp-option=tag:known,option:dns-server,10.0.0.7\n',
      { 'class known-machines': { options: { 'domain-name-servers': ['10.0.0.7'] } } },
    ],
    [
      'ranges with tags of their own',
      `dhcp-range=set:red,10.0.0.110,10.0.0.119,1h\ndhcp-boot=tag:red,red\ndhcp-boot=u\n`,
      { 'network lan': { bootFile: 'u' }, 'pool 1 of lan': { bootFile: 'red' } },
    ],
    ['times with a unit', 'dhcp-option=option:T1,1m\n', { 'network lan': { options: { 'renewal-time': 60 } } }],
    [
      'routes and a router that are not of the subnet',
      `${EFI}dhcp-option=3,10.9.0.1\ndhcp-option=tag:efi,121,10.1.0.0/16,10.0.0.254\n`,
      {
        'network lan': { options: { routers: ['10.9.0.1'] } },
        'class efi': { options: { 'classless-static-routes': [{ to: '10.1.0.0/16', via: '10.0.0.254' }] } },
      },
    ],
    [
      'two conditions of one kind',
      `dhcp-vendorclass=set:p,PXEClient\ndhcp-vendorclass=set:u,UNDI\ndhcp-boot=tag:p,tag:u,x\n`,
      { 'class p-u': { bootFile: 'x' } },
    ],
    [
      'services of firmware: an ending is added where there is none, and one service of UEFI gives way to dhcp-boot',
      `pxe-service=x86PC,"Boot",pxelinux\npxe-service=X86-64_EFI,"Boot",http://10.0.0.2/e\npxe-service=11,"Boot",arm,10.0.0.9\n`,
      {
        'class pxe-x86pc': { bootFile: 'pxelinux.0', nextServer: '10.0.0.2' },
        'class pxe-x86-64-efi': { bootFile: 'http://10.0.0.2/e' },
        'class pxe-arm64-efi': { bootFile: 'arm.0', nextServer: '10.0.0.9' },
      },
    ],
    [
      'one service of UEFI gives way to dhcp-boot, one of BIOS does not',
      `dhcp-boot=u\npxe-service=x86PC,"Boot",b\npxe-service=x86-64_EFI,"Boot",e\n`,
      { 'network lan': { bootFile: 'u' }, 'class pxe-x86pc': { bootFile: 'b.0' } },
    ],
    [
      'a menu that a Raspberry Pi waits for',
      'pxe-service=0,"Raspberry Pi Boot"\n',
      { 'network lan': { nextServer: '10.0.0.2' }, 'class pxe-x86pc': { options: PXE_MENU(RPI) } },
    ],
    [
      'a menu of the disk and of a boot server',
      'pxe-service=x86PC,"Disk",0\npxe-service=x86PC,"W",1,10.0.0.9\n',
      {
        'network lan': { nextServer: '10.0.0.2' },
        'class pxe-x86pc': {
          options: PXE_MENU(
            '06:01:03:0a:04:ff:50:58:45:08:07:00:01:01:0a:00:00:09:09:0b:00:00:04:44:69:73:6b:00:01:01:57:ff',
          ),
        },
      },
    ],
  ];
  for (const [what, lines, wanted] of rows) {
    it(what, () =>
      imported({ 'dnsmasq.conf': HEAD + lines }, ({ site }) => {
        const { 'network lan': network = {}, ...others } = given(site);
        assert.deepEqual({ ...others, ...(Object.keys(network).length > 0 ? { 'network lan': network } : {}) }, wanted);
      }),
    );
  }
});

describe('who draws from the pools of dnsmasq', () => {
  const rows: readonly (readonly [what: string, lines: string, allow: unknown, deny: unknown])[] = [
    ['anybody', '', 'any', undefined],
    [
      'listed machines, and those that a pattern lists',
      'dhcp-host=52:54:00:*:*:*\ndhcp-ignore=tag:!known\n',
      ['known', 'known-machines'],
      undefined,
    ],
    ['who has one of the tags', `${IPXE}${EFI}dhcp-ignore=tag:!ipxe,tag:!efi\n`, ['ipxe', 'efi'], undefined],
    ['nobody who has both tags', `${IPXE}${EFI}dhcp-ignore=tag:ipxe,tag:efi\n`, 'any', ['ipxe-efi']],
    ['nobody of a computed tag', `${EFI}tag-if=set:x,tag:efi\ndhcp-ignore=tag:x\n`, 'any', ['efi']],
  ];
  for (const [what, lines, allow, deny] of rows) {
    it(what, () =>
      imported({ 'dnsmasq.conf': HEAD + lines }, ({ site }) => {
        const [pool] = site.networks?.lan?.pools ?? [];
        assert.deepEqual([pool?.allow, pool?.deny], [allow, deny]);
      }),
    );
  }

  it('of ranges for several tags, and for all but one', () =>
    imported(
      {
        'dnsmasq.conf': `${IPXE}${EFI}interface=br0\ndhcp-range=tag:efi,tag:ipxe,10.0.0.10,10.0.0.19,255.255.255.0\ndhcp-range=tag:!efi,10.0.0.20,10.0.0.29,255.255.255.0\n`,
      },
      ({ site: { networks = {} } }) => {
        const pools = Object.values(networks)[0]?.pools ?? [];
        assert.deepEqual(
          pools.map(({ allow, deny }) => [allow, deny]),
          [
            ['efi-ipxe', undefined],
            ['any', ['efi']],
          ],
        );
      },
    ));

  it('overlap nowhere: what ranges share is for those with tags', () =>
    imported(
      {
        'dnsmasq.conf': `${EFI}interface=br0
dhcp-range=10.0.0.10,10.0.0.49,255.255.255.0
dhcp-range=tag:efi,10.0.0.20,10.0.0.29,255.255.255.0
dhcp-range=10.0.0.40,10.0.0.49,255.255.255.0
`,
      },
      ({ site, remarks }) => {
        const pools = site.networks?.lan?.pools ?? [];
        assert.deepEqual(
          pools.map(({ allow, range }) => [allow, range]),
          [
            ['efi', '10.0.0.20-10.0.0.29'],
            ['any', ['10.0.0.10-10.0.0.19', '10.0.0.30-10.0.0.49']],
          ],
        );
        assert.match(remarks.join('\n'), /^left dhcp-range=10\.0\.0\.40\S+: all its addresses are of another range/m);
      },
    ));

  it('are without the addresses of the network, of its router and of this server', () =>
    imported(
      {
        'dnsmasq.conf':
          'interface=br0\nlisten-address=10.0.0.9\ndhcp-range=10.0.0.255,10.0.0.0,255.255.255.0\ndhcp-option=3,10.0.0.1\n',
      },
      ({ site, remarks }) => {
        assert.deepEqual(site.networks?.lan?.pools?.[0]?.range, ['10.0.0.3-10.0.0.8', '10.0.0.10-10.0.0.254']);
        for (const [address, whose] of [
          ['10.0.0.1', "a router's"],
          ['10.0.0.2', "this server's"],
          ['10.0.0.9', "this server's"],
        ] as const) {
          assert.ok(
            remarks.some((one) => one.includes(`${address} is ${whose} and is left out of the pool`)),
            address,
          );
        }
      },
    ));
});

describe('what has no place in a site', () => {
  const rows: readonly (readonly [lines: string, told: RegExp])[] = [
    [
      `${IPXE}dhcp-boot=tag:!ipxe,undionly.kpxe\n`,
      /^left dhcp-boot=tag:!ipxe,undionly.kpxe: it is for all without the tag ipxe, and who has it is given nothing/m,
    ],
    [`${EFI}dhcp-option=tag:efi,3\n`, /^left dhcp-option=tag:efi,3: a class cannot take away what the networks give/m],
    ['dhcp-boot=tag:x,y\n', /^left dhcp-boot=tag:x,y: no line sets the tag x$/m],
    [
      'dhcp-subscrid=set:s,x\ndhcp-boot=tag:s,y\n',
      /^left dhcp-boot=tag:s,y: its tag s is set by dnsmasq.conf:5 dhcp-subscrid=set:s,x, which is left out$/m,
    ],
    [
      'dhcp-subscrid=set:s,x\ntag-if=set:t,tag:s\ndhcp-boot=tag:t,y\n',
      /^left dhcp-boot=tag:t,y: its tag t follows from another by tag-if: its tag s is set by dnsmasq.conf:5/m,
    ],
    [
      'dhcp-host=id:01:02,set:s\ndhcp-boot=tag:s,y\n',
      /^left dhcp-boot=tag:s,y: its tag s is set by .*dhcp-host=id:01:02,set:s, which is left out$/m,
    ],
    ['dhcp-boot=a\ndhcp-boot=b\n', /^left dhcp-boot=a: no request is given it: other lines come before it/m],
    ['dhcp-range=10.1.0.9,proxy\n', /^left dhcp-range=10.1.0.9,proxy: Reveille gives out addresses itself/m],
    ['listen-address=10.0.0.255\n', /^left listen-address=10.0.0.255: no network is there/m],
    ['listen-address=10.0.0.0\n', /^left listen-address=10.0.0.0: no network is there/m],
    ['listen-address=x\n', /^left listen-address=x: no network is there/m],
    ['enable-tftp\ntftp-root=/\n', /^left tftp-root=\/: it is the whole file system/m],
    ['enable-tftp\ntftp-root=/tmp/..\n', /^left tftp-root=\/tmp\/..: it is the whole file system/m],
    ['dhcp-hostsfile=/nonexistent/hosts\n', /^left dhcp-hostsfile=\S+: it is not found here: copy it beside/m],
    ['dhcp-host=01:00:00:00:00:00,x\n', /^left dhcp-host=\S+: 01:00:00:00:00:00 is the address of a group/m],
    ['dhcp-option=\n', /^left dhcp-option=: it has no value, so that it does nothing$/m],
    [
      'tag-if=set:x,tag:y\ntag-if=set:y,tag:x\ndhcp-boot=tag:x,z\n',
      /^left dhcp-boot=tag:x,z: its tag x follows from another by tag-if: .* no line sets the tag x$/m,
    ],
    ['dhcp-match=set:x,93,y\n', /^left dhcp-match=set:x,93,y: it is not the number of one architecture/m],
    [
      'pxe-service=x86PC,"Boot",pxelinux\npxe-service=x86PC,"Disk",0\n',
      /^left pxe-service=x86PC,"Disk",0: firmware shows no menu: the first file is booted/m,
    ],
    [
      'dhcp-range=set:other,10.1.0.9,10.1.0.20,255.255.255.0\ninterface=br1\n' +
        `${EFI}dhcp-boot=tag:other,tag:efi,y\n`,
      /^left dhcp-boot=tag:other,tag:efi,y: it is for requests with the tags efi in some networks only/m,
    ],
  ];
  for (const [lines, told] of rows) {
    it(`is reported: ${lines.trim().split('\n').at(-1)}`, () =>
      imported({ 'dnsmasq.conf': HEAD + lines }, ({ remarks }) => assert.match(remarks.join('\n'), told)));
  }

  const ALONE: readonly (readonly [string, object])[] = [
    ['dhcp-option=66,"10.0.0.9"', { 'network lan': { options: { 'tftp-server-name': '10.0.0.9' } } }],
    [
      'dhcp-option=option:tftp-server,"http://a.example/p"',
      { 'network lan': { options: { 'tftp-server-name': 'http://a.example/p' } } },
    ],
    ['dhcp-option=66,10.0.0.2', { 'network lan': { options: { 'tftp-server-name': '10.0.0.2' } } }],
    ['dhcp-option=66,0.0.0.0', { 'network lan': { options: { 'tftp-server-name': '10.0.0.2' } } }],
    [`${NODES}dhcp-option=tag:b,66,10.0.0.9`, { 'profile b': { options: { 'tftp-server-name': '10.0.0.9' } } }],
    [
      'dhcp-mac=set:phone,00:80:f0:*:*:*\ndhcp-option-force=tag:phone,66,10.0.0.9',
      { 'class phone': { options: { 'tftp-server-name': '10.0.0.9' } } },
    ],
    [
      `${NODES}dhcp-boot=x.0\ndhcp-option=tag:b,66,10.0.0.9`,
      { 'network lan': { bootFile: 'x.0' }, 'profile b': { nextServer: '10.0.0.9' } },
    ],
  ];
  for (const [lines, expected] of ALONE) {
    it(`is not option 66 alone, as phones are given it: ${lines.split('\n').at(-1)}`, () =>
      imported({ 'dnsmasq.conf': `${HEAD}dhcp-option=6,10.0.0.1\n${lines}\n` }, ({ site, remarks }) => {
        const { 'network lan': lan, ...others } = given(site) as { 'network lan'?: { dns?: unknown } };
        const { dns: _, ...network } = lan ?? {};
        assert.deepEqual(
          { ...(Object.keys(network).length === 0 ? {} : { 'network lan': network }), ...others },
          expected,
        );
        assert.doesNotMatch(remarks.join('\n'), /^left dhcp-/m);
      }));
  }

  it('is not a configuration of a thousand tags', () => {
    const tags = Array.from(
      { length: 1000 },
      (_, i) => `dhcp-match=set:t${i},option:user-class,u${i}\ndhcp-boot=tag:t${i},f${i}\n`,
    );
    const rules = Array.from({ length: 3000 }, (_, i) => `tag-if=set:r${i + 1},tag:r${i}\n`);
    return imported(
      { 'dnsmasq.conf': `${HEAD}${tags.join('')}${rules.join('')}dhcp-boot=tag:r3000,x\n` },
      ({ site, remarks }) => {
        assert.equal(Object.keys(site.classes ?? {}).length, 1000);
        assert.match(remarks.join('\n'), /^left dhcp-boot=tag:r3000,x: its tag r3000 follows from another by tag-if/m);
      },
    );
  });

  it('is all of it where no line makes a network', () =>
    imported(
      {
        'dnsmasq.conf': `${IPXE}port=0\ndhcp-boot=pxelinux.0,,10.0.0.9\ndhcp-boot=tag:ipxe,x\ndhcp-option=6,10.0.0.1\n`,
      },
      ({ site, remarks }) => {
        assert.deepEqual(Object.keys(site), ['classes']);
        const left = remarks.filter((one) => one.startsWith('left dhcp-'));
        assert.equal(left.length, 3);
        for (const one of left) assert.match(one, /no dhcp-range makes a network here/);
        assert.match(remarks.join('\n'), /^left networks: .* a site without networks answers no machine/m);
      },
    ));

  it('costs one line of a file of hosts, which dnsmasq passes over too', () =>
    imported(
      {
        'dnsmasq.conf': `${HEAD}dhcp-hostsfile=/etc/hosts.dhcp\ndhcp-optsfile=/etc/opts.dhcp\n`,
        'hosts.dhcp': '52:54:00:00:00:51,10.0.0.51,n1\n52:54:00:00:00:52,a b\n',
        'opts.dhcp': 'option:ntp-server,10.0.0.7\noption:nothing,1\n',
      },
      ({ site, remarks }) => {
        assert.deepEqual(Object.keys(site.nodes ?? {}), ['n1']);
        assert.deepEqual(site.networks?.lan?.ntp, ['10.0.0.7']);
        assert.equal(remarks.filter((one) => /^left .*: dnsmasq passes it over too$/.test(one)).length, 2);
      },
    ));
});
