// Kinds of things that configurations say in unusual places or forms: where each stands in the site, and what is told of it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatPlace, ReveilleError } from '../../../errors.ts';
import { loadSite } from '../../../site/load.ts';
import { findingText, withSiteFolder } from '../../../site/testing/folderFixture.ts';
import { unprovenClaims } from '../../claims.ts';
import { type Remark, SiteDraft } from '../../draft.ts';
import { invalid } from '../../invalid.ts';
import { siteYaml } from '../../yamlText.ts';
import type { DhcpdContext } from '../meaning/reading.ts';
import { parseConfiguration } from '../text/parser.ts';
import { addDhcpd } from './toDraft.ts';

const CONTEXT: DhcpdContext = { addresses: new Map(), tree: false, interface: 'br0', resolved: new Map() };
const OTHER = '10.0.0.9';
const TREE = { tree: true };

function drafted(text: string, context: Partial<DhcpdContext> = {}): SiteDraft {
  const draft = new SiteDraft();
  const statements = parseConfiguration('dhcpd.conf', text, (name, place) => {
    throw invalid(place, `no ${name}`);
  });
  addDhcpd(statements, { ...CONTEXT, ...context }, draft);
  return draft;
}

/** `left if known`: what is not simply taken over, but for definitions of options that the site does without. */
function told(draft: SiteDraft): readonly string[] {
  return draft.remarks
    .filter(({ kind, why }) => kind !== 'taken' && why !== 'nothing of the new site needs it')
    .map(({ kind, what }) => `${kind} ${what}`);
}

type Row = {
  readonly what: string;
  readonly text: string;
  readonly context?: Partial<DhcpdContext>;
  /** Part of the site. */
  readonly site: object;
  /** What is not in the site. */
  readonly never?: RegExp;
  /** All that is changed or left out. */
  readonly told?: readonly string[];
};

const net = (body: string, rest = '') => `authoritative; ${rest}
subnet 10.0.0.0 netmask 255.255.255.0 { range 10.0.0.100 10.0.0.120; ${body} }`;
const rack = (more: object) => ({ networks: { 'net-10-0-0-0': more } });
const NAMES = 'changed hosts without a host-name';
const host = (name: string, last: string, more = '') =>
  `host ${name} { hardware ethernet 52:54:00:00:00:${last}; fixed-address 10.0.0.${Number.parseInt(last, 16)}; ${more} }`;

const POOLS: readonly Row[] = [
  {
    what: 'a boot server and file of a pool',
    text: net(
      `pool { range 10.0.0.10; next-server ${OTHER}; filename "a.0"; option root-path "/r"; allow known-clients; }`,
    ),
    site: rack({
      pools: [
        { range: '10.0.0.100-10.0.0.120' },
        { range: '10.0.0.10', allow: 'known', nextServer: OTHER, bootFile: 'a.0', options: { 'root-path': '/r' } },
      ],
    }),
    told: [],
  },
  {
    what: 'options 66 and 67 of a pool',
    text: net('pool { range 10.0.0.10; option tftp-server-name "10.0.0.9"; option bootfile-name "b.0"; }'),
    site: rack({
      pools: [{}, { nextServer: OTHER, bootFile: 'b.0', options: { 'tftp-server-name': OTHER } }],
    }),
    told: [],
  },
  {
    what: "a pool's lease time, within the network's bounds",
    text: net('pool { range 10.0.0.10; max-lease-time 600; }', 'default-lease-time 900; max-lease-time 900;'),
    site: rack({ lease: '15m', pools: [{}, { lease: '10m' }] }),
    told: [],
  },
  {
    what: 'what a pool chooses',
    text: net('pool { range 10.0.0.10; if option user-class = "u" { filename "u.0"; } }'),
    site: { classes: { u: { userClass: 'u', bootFile: 'u.0' } } },
    told: ['changed if option user-class = "u"'],
  },
];

const CAPITALS: readonly Row[] = [
  {
    what: 'a class',
    text: `class "Desk Phones" { match if option vendor-class-identifier = "x"; }
      class "DESK phones" { match if option vendor-class-identifier = "y"; }
      ${net('pool { range 10.0.0.10; allow members of "Desk Phones"; } pool { range 10.0.0.11; deny members of "DESK phones"; }')}`,
    site: {
      classes: { 'Desk-Phones': { vendorClass: 'x' }, 'DESK-phones-2': { vendorClass: 'y' } },
      ...rack({ pools: [{}, { allow: 'Desk-Phones' }, { deny: 'DESK-phones-2' }] }),
    },
    told: [],
  },
  {
    what: 'a shared network, and a network that is named for its class',
    text: `authoritative; class "Rack" { match if option user-class = "r"; }
      shared-network WIRE-A {
        subnet 10.0.0.0 netmask 255.255.255.0 { } subnet 10.0.1.0 netmask 255.255.255.0 { }
        pool { range 10.0.1.10; allow members of "Rack"; }
      }`,
    site: { networks: { 'WIRE-A': { subnet: '10.0.0.0/24' }, Rack: { subnet: '10.0.1.0/24' } } },
    told: [],
  },
  {
    what: 'a class that is declared twice is one',
    text: `class "a" { match if option user-class = "a"; option root-path "/1"; } class "a" { filename "a.0"; option root-path "/2"; }
      ${net('')}`,
    site: { classes: { a: { userClass: 'a', bootFile: 'a.0', options: { 'root-path': '/2' } } } },
    told: ['left option root-path "/1"'],
  },
];

const SERVERS: readonly Row[] = [
  {
    what: 'this server for a group, below another for the network',
    text: `${net(`next-server ${OTHER}; filename "other.0";`)}
      group { next-server 10.0.0.2; filename "own.0"; ${host('a', '0a')} ${host('b', '0b')} }`,
    context: TREE,
    site: {
      ...rack({ nextServer: OTHER, server: '10.0.0.2' }),
      profiles: { own: { nextServer: '10.0.0.2', bootFile: 'own.0' } },
    },
    told: ['changed next-server 10.0.0.2', NAMES],
  },
  {
    what: 'a loader of ours, below another file for the network',
    text: `${net(`next-server ${OTHER}; filename "other.0";`)}
      group { next-server 10.0.0.2; filename "pxelinux.0"; ${host('a', '0a')} ${host('b', '0b')} }`,
    context: TREE,
    site: { profiles: { pxelinux: { nextServer: '10.0.0.2', bootFile: 'pxelinux.0' } } },
  },
  {
    what: 'a loader of ours, where a class names another file',
    text: `class "c" { match if option user-class = "c"; filename "c.0"; }
      ${net('')} group { next-server 10.0.0.2; filename "pxelinux.0"; ${host('a', '0a')} ${host('b', '0b')} }`,
    context: TREE,
    site: { profiles: { pxelinux: { bootFile: 'pxelinux.0' } } },
  },
  {
    what: 'a loader of ours, where nothing else is named',
    text: `${net('')} group { next-server 10.0.0.2; filename "pxelinux.0"; ${host('a', '0a')} ${host('b', '0b')} }`,
    context: TREE,
    site: { profiles: { pxelinux: { loader: 'pxelinux' } } },
    never: /bootFile|nextServer/,
  },
  {
    what: 'this server for a class, below another for all',
    text: `next-server ${OTHER}; class "c" { match if option user-class = "c"; next-server 10.0.0.2; filename "c.0"; }
      ${net('pool { range 10.0.0.10; next-server 10.0.0.2; }')}`,
    context: { addresses: new Map([['br0', [{ ip: 0x0a000002 as never, prefix: 24 }]]]) },
    site: {
      classes: { c: { nextServer: '10.0.0.2', bootFile: 'c.0' } },
      ...rack({ nextServer: OTHER, pools: [{}, { nextServer: '10.0.0.2' }] }),
    },
    told: [],
  },
  {
    what: 'this server, where nothing is named to boot from it',
    text: net('next-server 10.0.0.2;'),
    context: { addresses: new Map([['br0', [{ ip: 0x0a000002 as never, prefix: 24 }]]]) },
    site: rack({ nextServer: '10.0.0.2' }),
    told: [],
  },
  {
    what: 'this server alone is not named',
    text: net('next-server 10.0.0.2; filename "a.0";'),
    context: { addresses: new Map([['br0', [{ ip: 0x0a000002 as never, prefix: 24 }]]]) },
    site: rack({ bootFile: 'a.0' }),
    never: /nextServer/,
    told: [],
  },
];

const SIXTY_SIX: readonly Row[] = [
  {
    what: 'a URL',
    text: `class "d" { match if substring(hardware, 1, 3) = 02:00:5e; option tftp-server-name "http://10.0.0.5/d/"; }
      ${net('option tftp-server-name "https://prov.example.org";')} ${host('a', '0a', 'option tftp-server-name "tftp://h";')}`,
    site: {
      ...rack({ options: { 'tftp-server-name': 'https://prov.example.org' } }),
      classes: { d: { options: { 'tftp-server-name': 'http://10.0.0.5/d/' } } },
      nodes: { a: { options: { 'tftp-server-name': 'tftp://h' } } },
    },
    told: [NAMES],
  },
  {
    what: 'an address, where there is nothing to boot',
    text: net(`option tftp-server-name "${OTHER}";`),
    site: rack({ options: { 'tftp-server-name': OTHER } }),
    never: /nextServer/,
    told: [],
  },
  {
    what: 'a name, where there is something to boot',
    text: net('option tftp-server-name "boot"; filename "a.0";'),
    site: rack({ bootFile: 'a.0', options: { 'tftp-server-name': 'boot' } }),
    told: ['changed option tftp-server-name "boot"'],
  },
  {
    what: 'an address, beside a boot server and another file in option 67',
    text: net(`option tftp-server-name "10.0.0.8"; next-server ${OTHER}; filename "a.0"; option bootfile-name "b.0";`),
    site: rack({
      nextServer: OTHER,
      bootFile: 'a.0',
      options: { 'tftp-server-name': '10.0.0.8', 'bootfile-name': 'b.0' },
    }),
    told: [],
  },
];

const TIMES: readonly Row[] = [
  { what: 'shorter than dhcpd lends', text: net('', 'default-lease-time 60;'), site: rack({ lease: '5m' }), told: [] },
  {
    what: 'short by all bounds',
    text: net('', 'default-lease-time 60; min-lease-time 60;'),
    site: rack({ lease: '1m', minLease: '1m' }),
    told: [],
  },
  {
    what: 'short by its longest',
    text: net('', 'default-lease-time 60; max-lease-time 120;'),
    site: rack({ lease: '2m' }),
    told: [],
  },
  {
    what: 'bounds of a class, within which its pools lend',
    text: `class "a" { match if option user-class = "a"; max-lease-time 600; min-lease-time 900; }
      ${net('pool { range 10.0.0.10; default-lease-time 300; }')}`,
    site: {
      classes: { a: { userClass: 'a', maxLease: '10m', minLease: '10m' } },
      ...rack({ pools: [{}, { lease: '5m' }] }),
    },
    never: /"lease":"10m"/,
    told: [],
  },
];

const ACME = `option space acme; option acme.at code 1 = ip-address; option acme.to code 2 = text;
  option acme.n code 3 = unsigned integer 16;`;
const MEMBERS = 'class "a" { match if substring(option vendor-class-identifier, 0, 4) = "acme";';
const carried = (hex: string) => ({ options: { 'vendor-encapsulated-options': { hex } } });
const SPACES: readonly Row[] = [
  {
    what: 'the space in a class, the value in the subnet and in the class',
    text: `${ACME} ${MEMBERS} vendor-option-space acme; option acme.to "c"; } ${net('option acme.at 10.0.0.5;')}`,
    site: { classes: { a: carried('01:04:0a:00:00:05:02:01:63') } },
    told: [],
  },
  {
    what: 'the space for all, values for all and in a class',
    text: `${ACME} vendor-option-space acme; option acme.n 5; ${MEMBERS} option acme.to "c"; } ${net('')}`,
    site: { ...rack(carried('03:02:00:05')), classes: { a: carried('02:01:63:03:02:00:05') } },
    told: [],
  },
  {
    what: 'the space in a branch, a value in its class and in the network',
    text: `${ACME} ${MEMBERS} option acme.to "c"; if option user-class = "u" { vendor-option-space ACME; } }
      ${net('option acme.n 5;')}`,
    site: { classes: { u: carried('02:01:63:03:02:00:05') } },
    told: [],
  },
  {
    what: 'the space in a pool, the value in the network',
    text: `${ACME} ${net('option acme.n 5; pool { range 10.0.0.10; vendor-option-space acme; }')}`,
    site: rack({ pools: [{}, carried('03:02:00:05')] }),
    told: [],
  },
  {
    what: 'the space in a group, the value of a host in place of that of the network',
    text: `${ACME} ${net('option acme.n 5;')} group g { vendor-option-space acme; ${host('a', '0a', 'option acme.n 7;')} ${host('b', '0b')} }`,
    site: { profiles: { g: carried('03:02:00:05') }, nodes: { a: carried('03:02:00:07') } },
    told: [NAMES],
  },
  {
    what: 'networks that say different values, which a class cannot',
    text: `${ACME} ${MEMBERS} vendor-option-space acme; option acme.to "c"; } ${net('option acme.n 5;')}
      subnet 10.0.1.0 netmask 255.255.255.0 { option acme.n 6; }`,
    site: { classes: { a: carried('02:01:63') } },
    told: ['changed subnet 10.0.0.0', 'changed subnet 10.0.1.0', 'left option acme.n 5', 'left option acme.n 6'],
  },
  {
    what: 'two classes that say different options of one space',
    text: `${ACME} vendor-option-space acme; class "a" { match if option user-class = "a"; option acme.to "a"; }
      class "b" { match if option vendor-class-identifier = "b"; option acme.n 5; } class "c" { match if option user-class = "c"; option acme.n 6; }
      ${net('')}`,
    site: { classes: { a: carried('02:01:61'), b: carried('03:02:00:05'), c: carried('03:02:00:06') } },
    told: ['changed option acme.n 5'],
  },
  {
    what: 'no space where the values count',
    text: `${ACME} ${net('option acme.n 5;')}`,
    site: rack({}),
    told: ['left option acme.n 5'],
  },
  {
    what: 'option 43 as a whole, which goes before the space',
    text: `${ACME} ${net('vendor-option-space acme; option acme.n 5; option vendor-encapsulated-options 09:00;')}`,
    site: rack(carried('09:00')),
    told: ['left vendor-option-space acme', 'left option acme.n 5'],
  },
  {
    what: 'a space for the numbers of a site, named further out than its options',
    text: `option space px; option px.magic code 208 = string; option px.cfg code 209 = text; option px.low code 100 = text;
      option wpad code 252 = text; option wpad "w"; site-option-space "px"; option px.magic f1:00:74:7e;
      ${net('option px.cfg "a"; option px.low "l";')} ${host('a', '0a', 'option px.cfg "h";')}`,
    site: {
      ...rack({ options: { 'pxelinux-magic': { hex: 'f1:00:74:7e' }, 'pxelinux-config-file': 'a' } }),
      nodes: { a: { options: { 'pxelinux-config-file': 'h' } } },
    },
    never: /wpad|252|: l/,
    told: [NAMES, 'left option wpad "w"', 'left option px.low "l"'],
  },
  {
    what: 'a space for the numbers of a site in a class, below such an option for all',
    text: `option space px; option px.cfg code 209 = text; option px.cfg "a"; option loader-pathprefix "p/";
      class "a" { match if option user-class = "a"; site-option-space "px"; } ${net('')}`,
    site: {
      ...rack({ options: { 'pxelinux-path-prefix': 'p/' } }),
      classes: { a: { options: { 'pxelinux-config-file': 'a' } } },
    },
    told: ['changed site-option-space "px"'],
  },
  {
    what: 'a space that an option of its own carries, from two scopes',
    text: `option space e; option e.a code 1 = text; option e.b code 2 = text; option carrier code 231 = encapsulate e;
      option e.a "x"; ${net('option e.b "y";')}`,
    site: rack({ options: { '231': { hex: '01:01:78:02:01:79' } } }),
    told: [],
  },
];

const TWO = 'subnet 10.0.0.0 netmask 255.255.255.0';
const SUBNETS: readonly Row[] = [
  {
    what: 'the same one twice, the first empty',
    text: `authoritative; ${TWO} { } ${TWO} { range 10.0.0.10; option routers 10.0.0.1; }`,
    site: rack({ interface: 'br0', gateway: '10.0.0.1', pools: [{ range: '10.0.0.10' }] }),
    told: [`changed ${TWO}`],
  },
  {
    what: 'the same one alone, then in a shared network with a pool',
    text: `authoritative; ${TWO} { option routers 10.0.0.1; }
      shared-network s { ${TWO} { } subnet 10.0.1.0 netmask 255.255.255.0 { } pool { range 10.0.0.10; range 10.0.1.10; } }`,
    site: {
      networks: {
        s: { gateway: '10.0.0.1', pools: [{ range: '10.0.0.10' }] },
        'net-10-0-1-0': { pools: [{ range: '10.0.1.10' }] },
      },
    },
    told: [`changed ${TWO}`],
  },
  {
    what: 'one in another that is empty',
    text: `authoritative; subnet 10.0.0.0 netmask 255.0.0.0 { option routers 10.0.0.1; } ${TWO} { range 10.0.0.10; }`,
    site: rack({ subnet: '10.0.0.0/24', pools: [{ range: '10.0.0.10' }] }),
    never: /10\.0\.0\.0\/8|10\.0\.0\.1"/,
    told: ['left subnet 10.0.0.0 netmask 255.0.0.0', 'left option routers 10.0.0.1'],
  },
  {
    what: 'one for everything',
    text: `authoritative; subnet 0.0.0.0 netmask 0.0.0.0 { } ${TWO} { range 10.0.0.10; }`,
    site: rack({ interface: 'br0' }),
    never: /0\.0\.0\.0\/0/,
    told: ['left subnet 0.0.0.0 netmask 0.0.0.0'],
  },
  {
    what: 'an empty one in another that gives addresses',
    text: `authoritative; ${TWO} { range 10.0.0.10; } subnet 10.0.0.128 netmask 255.255.255.128 { }`,
    site: rack({ subnet: '10.0.0.0/24' }),
    told: ['left subnet 10.0.0.128 netmask 255.255.255.128'],
  },
  {
    what: 'two that give addresses both: the larger loses its own',
    text: `authoritative; subnet 10.0.0.0 netmask 255.0.0.0 { range 10.9.0.1; option root-path "/r"; } ${TWO} { range 10.0.0.10 10.0.0.19; }
      host far { hardware ethernet 52:54:00:00:00:0a; fixed-address 10.9.0.5; }`,
    site: { ...rack({ subnet: '10.0.0.0/24' }), nodes: { far: { mac: '52:54:00:00:00:0a' } } },
    never: /10\.9\.0|root-path/,
    told: [
      'left subnet 10.0.0.0 netmask 255.0.0.0',
      'left range 10.9.0.1',
      'left fixed-address 10.9.0.5',
      NAMES,
      'left option root-path "/r"',
    ],
  },
];

const HOSTS: readonly Row[] = (
  [
    ['a group of machines', '01:00:5e:00:00:07'],
    ['everybody', 'ff:ff:ff:ff:ff:ff'],
    ['too short', '52:54:00:00:00'],
    ['too long', '52:54:00:00:00:01:02:03'],
    ['zero', '0:0:0:0:0:0'],
    ['none at all', ''],
    ['without colons', '525400000001'],
  ] as const
).map(([what, address]) => ({
  what: `a hardware address that is ${what}`,
  text: `${net('')} ${host('good', '0a')} host bad { hardware ethernet ${address}; fixed-address 10.0.0.20; filename "a.0"; }`,
  site: { nodes: { good: { ip: '10.0.0.10' } } },
  never: /bad|10\.0\.0\.20|a\.0/,
  told: ['left host bad', NAMES],
}));

/** dhcpd takes them, and no client can make anything of them. */
const NO_NAMES: readonly Row[] = ['a.example b.example', 'a.example, b.example', ''].map((names) => ({
  what: `domain-search "${names}"`,
  text: `${net(`option domain-search "${names}"; option domain-name "here.example";`)} ${host('a', '0a')}`,
  site: { networks: { here: { domain: 'here.example' } }, nodes: { a: { ip: '10.0.0.10' } } },
  never: /search/,
  told: [`left option domain-search "${names}"`, NAMES],
}));

const WORDS: readonly Row[] = ['', 'group', 'pool', 'class "a"', 'host a'].map((block) => ({
  what: `a lone word in ${block || 'no block'}`,
  text: `${net(block === 'pool' ? 'pool { range 10.0.0.10; autoritative; }' : '')}
    ${block === 'pool' ? '' : block === '' ? 'autoritative;' : `${block} { autoritative; ${block === 'group' ? host('a', '0a') : ''} }`}`,
  site: rack({ pools: [{}] }),
}));

const CHOICES: readonly Row[] = [
  {
    what: 'a branch whose condition no class can say: what stands in it is left out, the others are not',
    text: `${net('')} if option user-class = "iPXE" { filename "x"; }
      elsif substring(option dhcp-client-identifier, 0, 1) = 01 { filename "odd.0"; next-server 10.0.0.7; if known { option root-path "/k"; } }
      elsif option vendor-class-identifier = "v" { filename "v.0"; } else { filename "pxelinux.0"; }`,
    site: {
      ...rack({ bootFile: 'pxelinux.0' }),
      classes: { v: { vendorClass: 'v', bootFile: 'v.0' }, ipxe: { userClass: 'iPXE', bootFile: 'x' } },
    },
    never: /odd|10\.0\.0\.7|\/k/,
    told: [
      'left if substring (option dhcp-client-identifier, 0, 1) = 1',
      'left filename "odd.0"',
      'left next-server 10.0.0.7',
      'left option root-path "/k"',
      'left if known',
    ],
  },
  {
    what: 'what a later statement of the block says for all',
    text: `${net('')} if option user-class = "u" { filename "a.0"; option root-path "/u"; } filename "b.0";`,
    site: { ...rack({ bootFile: 'b.0' }), classes: { u: { options: { 'root-path': '/u' } } } },
    never: /a\.0/,
    told: ['left filename "a.0"'],
  },
  {
    what: 'a choice after which another decides',
    text: `${net('')} if option user-class = "u" { filename "a.0"; }
      if option user-class = "v" { filename "b.0"; } else { filename "c.0"; }`,
    site: { ...rack({ bootFile: 'c.0' }), classes: { v: { userClass: 'v', bootFile: 'b.0' } } },
    never: /a\.0/,
    told: ['left filename "a.0"', 'left if option user-class = "u"'],
  },
  {
    what: 'a condition that is denied, the other way round',
    text: `${net('')} if not (option user-class = "iPXE") { filename "a.0"; } else { filename "b.0"; }`,
    site: { ...rack({ bootFile: 'a.0' }), classes: { ipxe: { userClass: 'iPXE', bootFile: 'b.0' } } },
    told: [],
  },
  {
    what: 'a condition that is denied, over what is given to all',
    text: `${net('')} filename "b.0"; if option user-class != "iPXE" { filename "a.0"; }`,
    site: { ...rack({ bootFile: 'a.0' }), classes: { ipxe: { userClass: 'iPXE', bootFile: 'b.0' } } },
    told: [],
  },
  {
    what: 'a condition that is denied, where those who fit it are given nothing',
    text: `${net('')} if not (option user-class = "iPXE") { filename "a.0"; }`,
    site: rack({}),
    never: /a\.0/,
    told: ['left if not option user-class = "iPXE"', 'left filename "a.0"', 'left if not option user-class = "iPXE"'],
  },
  {
    what: 'a condition that is denied, of which only a part can be turned round',
    text: `${net('')} if not (option user-class = "u") { filename "a.0"; option root-path "/a"; } else { filename "b.0"; }`,
    site: { ...rack({ bootFile: 'a.0' }), classes: { u: { userClass: 'u', bootFile: 'b.0' } } },
    never: /root-path/,
    told: ['left if not option user-class = "u"', 'left option root-path "/a"'],
  },
  {
    what: 'a condition that is denied further down',
    text: `${net('')} if option user-class = "a" { filename "a.0"; } elsif option user-class != "u" { filename "b.0"; } else { filename "c.0"; }`,
    site: {
      ...rack({ bootFile: 'b.0' }),
      classes: { u: { userClass: 'u', bootFile: 'c.0' }, a: { userClass: 'a', bootFile: 'a.0' } },
    },
    told: [],
  },
  {
    what: 'something that has to be there: not all clients',
    text: `${net('')} if exists user-class { filename "a.0"; } if option vendor-class-identifier ~= ".*" { option root-path "/v"; }`,
    site: { classes: { 'global-1': { userClass: '?*' }, 'global-1-2': { vendorClass: '?*' } } },
    told: [],
  },
  {
    what: 'a choice in the last branch goes after the others',
    text: `${net('')} if option vendor-class-identifier = "v" { filename "v.0"; }
      else { option root-path "/r"; if option user-class = "u" { filename "u.0"; } else { filename "c.0"; } }`,
    site: {
      ...rack({ bootFile: 'c.0' }),
      classes: { u: { userClass: 'u', bootFile: 'u.0' }, v: { vendorClass: 'v', bootFile: 'v.0' } },
    },
    told: ['changed option root-path "/r"'],
  },
  {
    what: 'what an earlier branch does not say, where something is given without the choice',
    text: `option root-path "/all"; ${net('')} filename "all.0"; if option vendor-class-identifier = "v" { next-server ${OTHER}; }
      elsif option user-class = "u" { filename "u.0"; } else { option root-path "/else"; }`,
    site: {
      ...rack({ bootFile: 'all.0', options: { 'root-path': '/else' } }),
      classes: {
        u: { userClass: 'u', bootFile: 'u.0', options: { 'root-path': '/all' } },
        v: { vendorClass: 'v', nextServer: OTHER, bootFile: 'all.0', options: { 'root-path': '/all' } },
      },
    },
    told: [],
  },
  {
    what: 'what all networks say themselves goes before a choice further out',
    text: `if option user-class = "u" { filename "u.0"; option root-path "/u"; } ${net('filename "n.0";')}`,
    site: { ...rack({ bootFile: 'n.0' }), classes: { u: { options: { 'root-path': '/u' } } } },
    never: /u\.0/,
    told: ['left filename "u.0"'],
  },
  {
    what: 'what a pool says itself goes after a choice further out, which is told',
    text: `if option user-class = "u" { filename "u.0"; } ${net('pool { range 10.0.0.10; filename "p.0"; }')}`,
    site: { classes: { u: { bootFile: 'u.0' } } },
    told: ['changed filename "u.0"'],
  },
  {
    what: 'a choice of nothing for clients',
    text: `${net('')} if exists host-name { ddns-hostname = lcase(option host-name); } else { ddns-hostname = "x"; }`,
    site: rack({}),
    told: ['left ddns-hostname = lcase (option host-name)', 'left ddns-hostname = "x"', 'left if exists host-name'],
  },
  {
    what: 'a class that is left out, with all that stands in it',
    text: `class "odd" { match if option dhcp-client-identifier = 1; filename "a.0"; if option user-class = "u" { option root-path "/u"; } }
      ${net('pool { range 10.0.0.10; deny members of "odd"; }')}`,
    site: rack({ pools: [{}, { allow: 'any' }] }),
    never: /a\.0|\/u/,
    told: [
      'left class odd',
      'changed deny members of "odd"',
      'left filename "a.0"',
      'left option root-path "/u"',
      'left match if option dhcp-client-identifier = 1',
      'left if option user-class = "u"',
    ],
  },
];

const GIVEN_TWICE: readonly Row[] = [
  {
    what: 'to a class that may not boot: no pool gives it anything',
    text: `class "bad" { match if option user-class = "bad"; ignore booting; } if option user-class = "b" { deny booting; }
      ${net('pool { range 10.0.0.10; deny unknown-clients; }')}`,
    site: {
      ...rack({
        pools: [
          { allow: 'any', deny: ['b', 'bad'] },
          { allow: 'known', deny: ['b', 'bad'] },
        ],
      }),
      classes: { b: { userClass: 'b' }, bad: { userClass: 'bad' } },
    },
    told: ['changed deny booting', 'changed ignore booting'],
  },
  {
    what: 'what the network says too, and a class something else',
    text: `class "c" { match if option user-class = "c"; filename "c.0"; option root-path "/c"; next-server 10.0.0.7; }
      ${net(`filename "n.0"; option root-path "/n"; next-server ${OTHER};`)}
      ${host('a', '0a', `filename "n.0"; option root-path "/n"; next-server ${OTHER};`)} ${host('b', '0b')}`,
    site: {
      ...rack({ bootFile: 'n.0', nextServer: OTHER }),
      nodes: { a: { bootFile: 'n.0', nextServer: OTHER, options: { 'root-path': '/n' } }, b: { ip: '10.0.0.11' } },
    },
    told: [NAMES],
  },
  {
    what: 'what the network says too, and nothing else',
    text: `${net(`filename "n.0"; option root-path "/n"; next-server ${OTHER};`)}
      ${host('a', '0a', `filename "n.0"; option root-path "/n"; next-server ${OTHER}; option subnet-mask 255.255.255.0;`)}`,
    site: { nodes: { a: { mac: '52:54:00:00:00:0a', ip: '10.0.0.10' } } },
    told: [NAMES],
  },
  {
    what: 'another netmask',
    text: `${net('')} ${host('a', '0a', 'option subnet-mask 255.255.0.0;')}`,
    site: { nodes: { a: { ip: '10.0.0.10' } } },
    told: ['changed option subnet-mask 255.255.0.0', NAMES],
  },
];

const INTERFACES: readonly Row[] = [
  { what: 'for the only wire', text: net(''), site: rack({ interface: 'br0' }), told: [] },
  {
    what: 'for none of two that are not known here',
    text: `${net('')} subnet 10.0.1.0 netmask 255.255.255.0 { }`,
    site: rack({}),
    never: /br0/,
    told: ['changed subnet 10.0.0.0', 'changed subnet 10.0.1.0'],
  },
  {
    what: 'for the one in which it has an address',
    text: `${net('')} subnet 10.0.1.0 netmask 255.255.255.0 { range 10.0.1.10; }`,
    context: {
      addresses: new Map([
        ['br0', [{ ip: 0x0a000102 as never, prefix: 24 }]],
        ['br1', [{ ip: 0x0a000002 as never, prefix: 24 }]],
      ]),
    },
    site: { networks: { 'net-10-0-1-0': { interface: 'br0' } } },
    never: /br1/,
    told: ['changed subnet 10.0.0.0'],
  },
];

const ABOUT: readonly (readonly [string, readonly Row[]])[] = [
  ['what stands in a pool', POOLS],
  ['names keep their capitals:', CAPITALS],
  ['a boot server:', SERVERS],
  ['option 66 is', SIXTY_SIX],
  ['lease times that are', TIMES],
  ['an option space:', SPACES],
  ['subnets:', SUBNETS],
  ['a host costs itself, with', HOSTS],
  ['no domain name costs its line:', NO_NAMES],
  ['dhcpd takes no notice of', WORDS],
  ['choices:', CHOICES],
  ['given to a host or a class:', GIVEN_TWICE],
  ['--interface is', INTERFACES],
];

for (const [about, rows] of ABOUT) {
  describe(about, () => {
    for (const { what, text, context, site, never, told: expected } of rows) {
      it(what, async () => {
        const draft = drafted(text, context);
        assert.partialDeepStrictEqual(draft.site, site);
        if (never !== undefined) assert.doesNotMatch(JSON.stringify(draft.site), never);
        if (expected !== undefined) assert.deepEqual(told(draft), expected);
        assert.deepEqual(unprovenClaims(draft), []);
        const yaml = siteYaml({ site: draft.site, commentsAt: () => [] }, []);
        await withSiteFolder({ 'site.yaml': yaml }, async (folder) => {
          const loaded = await loadSite(folder);
          assert.deepEqual(loaded.ok ? [] : loaded.findings.map(findingText), []);
        });
      });
    }
  });
}

describe('the report', () => {
  const remarksOf = (text: string): readonly Remark[] => drafted(text).remarks;

  it('tells where each thing stands that is taken over', () => {
    const places = remarksOf(
      net(
        'option routers 10.0.0.1; pool { range 10.0.0.10; deny members of "a"; option root-path "/r"; }',
        [
          'max-lease-time 600; class "a" { match if option user-class = "a"; filename "a.0"; }',
          'option arch code 93 = unsigned integer 16; if option arch = 00:07 { filename "e.0"; }',
        ].join(' '),
      ),
    ).map(({ kind, what, why }) => `${kind} ${what}: ${why}`);
    assert.deepEqual(places.toSorted(), [
      'taken authoritative: network net-10-0-0-0',
      'taken class a: class a',
      'taken deny members of "a": pools[1] of network net-10-0-0-0',
      'taken filename "a.0": bootFile of class a',
      'taken filename "e.0": bootFile of class arch-7',
      'taken if option arch = 00:07: class arch-7',
      'taken match if option user-class = "a": class a',
      'taken max-lease-time 600: lease of network net-10-0-0-0',
      'taken option arch code 93: class arch-7',
      'taken option root-path "/r": pools[1].options.root-path of network net-10-0-0-0',
      'taken option routers 10.0.0.1: gateway of network net-10-0-0-0',
      'taken range 10.0.0.100 10.0.0.120: pools[0] of network net-10-0-0-0',
      'taken range 10.0.0.10: pools[1] of network net-10-0-0-0',
      'taken subnet 10.0.0.0 netmask 255.255.255.0: network net-10-0-0-0',
    ]);
  });

  it('says whom each loss concerns', () => {
    const weights = new Map(
      remarksOf(`${net('')} ddns-updates on; zone a.example.org. { primary 127.0.0.1; } omapi-port 7911; log (info, "x");
        key k { algorithm hmac-md5; secret "c2VjcmV0"; } failover peer "p" { primary; } always-broadcast on; get-lease-hostnames off;
        lease-file-name "/l"; pid-file-name "/p"; set x = "y"; on commit { execute ("x"); } one-lease-per-client on; ping-check on;
        option fqdn.rcode1 255; log-threshold-high 5; server-name "s"; autoritative;`).map(({ what, weight }) => [
        what,
        weight,
      ]),
    );
    assert.deepEqual(
      [...weights].filter(([, weight]) => weight === 'other').map(([what]) => what),
      ['ddns-updates on', 'zone a.example.org.', 'key k', 'option fqdn.rcode1 255'],
    );
    assert.deepEqual(
      [...weights].filter(([, weight]) => weight === 'server').map(([what]) => what),
      [
        ...['omapi-port 7911', 'log', 'failover peer p', 'get-lease-hostnames off', 'lease-file-name "/l"'],
        ...[
          'pid-file-name "/p"',
          'set x',
          'on commit',
          'execute',
          'log-threshold-high 5',
          'autoritative',
          'ping-check on',
        ],
      ].filter((what) => what !== 'execute'),
    );
    for (const what of ['always-broadcast on', 'one-lease-per-client on', 'server-name "s"']) {
      assert.ok(weights.has(what) && weights.get(what) === undefined, what);
    }
  });
});

describe('an option that is not defined is an error at its place:', () => {
  const OPTION_ARCH = 'option arch code 93 = unsigned integer 16;';
  const rows: readonly [string, string][] = [
    ['if option arch = 00:07 { filename "a"; }', '1:4: there is no option "arch"'],
    ['if exists arch { filename "a"; }', '1:4: there is no option "arch"'],
    ['class "a" { match if option arch = 00:07; }', '1:22: there is no option "arch"'],
    ['class "a" { match option arch; }', '1:19: there is no option "arch"'],
    ['class "a" { spawn with option arch; }', '1:24: there is no option "arch"'],
    ['set x = option arch;', '1:9: there is no option "arch"'],
    ['log (info, concat ("a", option arch));', '1:25: there is no option "arch"'],
    ['on commit { set x = option arch; }', '1:21: there is no option "arch"'],
    ['define f (a) { return option arch; }', '1:23: there is no option "arch"'],
    ['ddns-hostname = option arch;', '1:17: there is no option "arch"'],
    ['filename = pick (option host-name, config-option arch);', '1:36: there is no option "arch"'],
    ['switch (option host-name) { case "a": option arch 5; }', '1:39: there is no option "arch"'],
    ['host a { hardware ethernet 2:0:0:0:0:1; option arch 5; }', '1:41: there is no option "arch"'],
    [`option arch 5; ${OPTION_ARCH}`, '1:1: there is no option "arch"'],
    [`if option arch = 00:07 { } ${OPTION_ARCH}`, '1:4: there is no option "arch"'],
    ['option server.nosuch 5;', '1:1: there is no option "server.nosuch"'],
    ['option agent.nosuch 5;', '1:1: there is no option "agent.nosuch"'],
    ['option nosuch.a "x";', '1:1: there is no option "nosuch.a"'],
    ['option option-200 1:2;', '1:1: there is no option "option-200"'],
    ['append option domain-name "x";', '1:1: there is no option "option"'],
    ['option nosuch.a code 1 = text;', '1:1: there is no option space "nosuch"'],
    ['option a code 250 = encapsulate nosuch;', '1:1: there is no option space "nosuch"'],
  ];
  for (const [text, message] of rows) {
    it(text, () => {
      assert.throws(
        () => drafted(text),
        (error: unknown) => {
          assert.ok(error instanceof ReveilleError && error.place);
          assert.equal(`${formatPlace(error.place)}: ${error.message}`, `dhcpd.conf:${message}`);
          return true;
        },
      );
    });
  }

  it('one that is defined before is none', () => {
    drafted(`${OPTION_ARCH} if option arch = 00:07 and exists arch { option arch 5; } option unknown-200 1:2; ${ACME}
      option isc.media "x"; if config-option server.ddns-hostname = "a" { } option dhcp.routers 10.0.0.1; option ACME.To "a";`);
  });
});

it('tells of hosts whose names cannot name a node, or are another’s', () => {
  const hosts = [
    host('gpu_1', '01'),
    host('a', '02', 'option host-name "node1.x.org";'),
    host('NODE1', '03'),
    host('b.x.org', '04'),
  ];
  const draft = drafted(net('', hosts.join('\n')));
  assert.deepEqual(Object.keys(draft.site.nodes ?? {}), ['gpu-1', 'node1', 'NODE1-2', 'b']);
  assert.deepEqual(
    told(draft).filter((line) => line.includes(': node ')),
    ['changed host gpu_1: node gpu-1', 'changed host NODE1: node NODE1-2'],
  );
});
