import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ANY_BYTES } from '../model/bytePattern.ts';
import { formatIpv4, type Ipv4 } from '../model/ipv4.ts';
import type { RawOptions } from '../model/network.ts';
import { type Loaded, loadSite } from './load.ts';
import type { Site } from './site.ts';
import { ip, mac } from './testing/fixture.ts';
import { findingText, type SiteFiles, withSiteFolder } from './testing/folderFixture.ts';

/** A small good site, which the rows of the table break. */
const GOOD = `site: g-rack
networks:
  openstack:
    interface: br0
    subnet: 10.0.0.0/24
    server: 10.0.0.2
    gateway: 10.0.0.1
    pools:
      - range: 10.0.0.200-10.0.0.220
  lan:
    interface: br0
    subnet: 192.168.0.0/24
    pools:
      - range: 192.168.0.111-192.168.0.150
        allow: unknown
profiles:
  compute:
    image: bookworm
    overlays: [nova]
nodes:
  node01:
    mac: 52:54:00:00:00:51
    ip: 10.0.0.51
    profiles: [compute]
  node02:
    mac: 52:54:00:00:00:52
    ip: 10.0.0.52
`;
const RECIPE = 'from: { debian: bookworm }\npackages: [linux-image-amd64]\n';
const FILES: SiteFiles = { 'site.yaml': GOOD, 'images/bookworm.yaml': RECIPE, 'overlays/nova/': '' };

/** The good site with some text replaced. Each replaced text must be there once. */
function edited(...edits: readonly (readonly [string, string])[]): SiteFiles {
  let text = GOOD;
  for (const [from, to] of edits) {
    assert.equal(text.split(from).length, 2, `${from} stands once in the good site`);
    text = text.replace(from, () => to);
  }
  return { ...FILES, 'site.yaml': text };
}

function load(files: SiteFiles): Promise<Loaded> {
  return withSiteFolder(files, loadSite);
}

async function loadGood(files: SiteFiles): Promise<Site> {
  const loaded = await load(files);
  if (!loaded.ok) assert.fail(loaded.findings.map(findingText).join('\n'));
  return loaded.site;
}

function manyRoutes(count: number): string {
  return Array.from({ length: count }, (_, n) => `{ to: 10.${n + 1}.0.0/16, via: 10.0.0.1 }`).join(', ');
}

type Row = {
  readonly name: string;
  readonly files: SiteFiles;
  readonly errors?: readonly string[];
  readonly warnings?: readonly string[];
};

const TABLE: readonly Row[] = [
  { name: 'a good site', files: FILES },
  {
    name: 'an unknown key, near to a known one',
    files: edited(['    gateway: 10.0.0.1\n', '    gatway: 10.0.0.1\n']),
    errors: ['site.yaml:7:5: unknown key "gatway" | did you mean "gateway"?'],
  },
  {
    name: 'an unknown key, near to none',
    files: edited(['site: g-rack', 'site: g-rack\nxyzzy: 1']),
    errors: [
      'site.yaml:2:1: unknown key "xyzzy" | known keys: site, networks, classes, profiles, nodes, vars, secrets, menu, tftp, http, api, dhcp, log, cloud, refresh',
    ],
  },
  {
    name: 'a merge key of YAML 1.1',
    files: edited(['  node02:\n', '  node02:\n    <<: { ip: 10.0.0.53 }\n']),
    errors: [
      'site.yaml:26:5: unknown key "<<" | merge keys are not part of YAML 1.2: put what nodes share into a profile',
    ],
  },
  {
    name: 'text where a list belongs',
    files: edited(['profiles: [compute]', 'profiles: compute'], ['    gateway: 10.0.0.1\n', '    dns: 9.9.9.9\n']),
    errors: [
      'site.yaml:7:10: expected a list of addresses, found the text "9.9.9.9" | write it as a list: [9.9.9.9]',
      'site.yaml:24:15: expected a list of profile names, found the text "compute" | write it as a list: [compute]',
    ],
  },
  {
    name: 'values of the wrong kind and form, all at once',
    files: edited(
      ['subnet: 10.0.0.0/24', 'subnet: 10.0.0.5/24'],
      ['range: 192.168.0.111-192.168.0.150', 'range: 192.168.0.150-192.168.0.111'],
      ['mac: 52:54:00:00:00:51', 'mac: 52:54:00:00:51'],
      ['ip: 10.0.0.52', 'ip: 10.0.0.352'],
    ),
    errors: [
      'site.yaml:5:13: "10.0.0.5/24" is not a subnet | the address has bits set beyond /24: did you mean 10.0.0.0/24?',
      'site.yaml:14:16: "192.168.0.150-192.168.0.111" is not a range of addresses | it runs backwards: did you mean 192.168.0.111-192.168.0.150?',
      'site.yaml:22:10: "52:54:00:00:51" is not a MAC address | such as 52:54:00:00:00:51',
      'site.yaml:27:9: "10.0.0.352" is not an IPv4 address | such as 10.0.0.51',
    ],
  },
  {
    name: 'nodes of networks that are not there, or not theirs',
    files: edited(
      ['  compute:\n', '  compute:\n    network: openstak\n'],
      ['    ip: 10.0.0.52\n', '    ip: 10.0.0.52\n    network: lan\n'],
    ),
    errors: [
      'site.yaml:18:14: there is no network "openstak" | did you mean "openstack"?',
      'site.yaml:28:9: node "node02" has an address of network "openstack", and `network: lan` | a node belongs to one network: leave `network` out',
    ],
  },
  {
    name: 'relays of either of two networks',
    files: edited(
      [
        '    interface: br0\n    subnet: 10.0.0.0/24\n',
        '    subnet: 10.0.0.0/24\n    relays: [172.16.0.1, 172.16.0.8-172.16.0.9]\n',
      ],
      [
        '    interface: br0\n    subnet: 192.168.0.0/24\n',
        '    subnet: 192.168.0.0/24\n    relays: 172.16.0.9-172.16.0.12\n',
      ],
    ),
    warnings: [
      'site.yaml:12:13: relay 172.16.0.9-172.16.0.12 of network "lan" overlaps relay 172.16.0.8-172.16.0.9 of network "openstack" (site.yaml:5:26) | it must name the network (option 82, link selection); without that, the first network is used',
    ],
  },
  {
    name: 'nodes of a network of which no pool is open to them',
    files: edited(['    ip: 10.0.0.52\n', '    network: lan\n']),
    warnings: [
      'site.yaml:25:3: node "node02" has no address and no pool of network "lan" is open to known nodes | give it `ip:`, or a network a pool with `allow: known`',
    ],
  },
  {
    name: 'nodes that may be on any of several wires',
    files: edited(
      ['    interface: br0\n    subnet: 192.168.0.0/24\n', '    subnet: 192.168.0.0/24\n'],
      [
        '    ip: 10.0.0.52\n',
        '  node03: { mac: 52:54:00:00:00:53 }\n  node04: { mac: 52:54:00:00:00:54, network: openstack }\n',
      ],
    ),
    warnings: [
      'site.yaml:24:3: node[02-03] have neither `ip` nor `network`, and the site has several wires | set `network:` here or in a profile; without it, any machine with the MAC address on any wire counts as the node',
    ],
  },
  {
    name: 'classes that say nothing, or what cannot be',
    files: edited([
      'profiles:\n  compute:\n',
      `classes:
  known: { arch: bios }
  empty: { lease: 5m }
  odd:
    macs: [52:54:00, 00:1a:4b:00:00:01/24]
    arch: [bios, efix64, 70000]
    vendorClass: { hex: 0g }
profiles:
  compute:
`,
    ]),
    errors: [
      'site.yaml:17:3: "known" cannot name a class | in pools, known means something already',
      'site.yaml:18:3: class "empty" has no condition | say who its members are by one of macs, vendorClass, userClass, arch, circuitId, remoteId',
      'site.yaml:20:12: "52:54:00" is not a MAC address or the beginning of one | such as 52:54:00:00:00:51, 52:54:00:* or 00:1a:4b:00:00:00/24',
      'site.yaml:20:22: "00:1a:4b:00:00:01/24" is not a MAC address or the beginning of one | such as 52:54:00:00:00:51, 52:54:00:* or 00:1a:4b:00:00:00/24',
      'site.yaml:21:18: "efix64" is not one of bios, efi-ia32, efi-x64, efi-arm64, efi-x64-http, efi-arm64-http or a number of option 93 | did you mean "efi-x64"?',
      'site.yaml:21:26: 70000 is not an architecture from 0 to 65535',
      'site.yaml:22:25: "0g" is not bytes in hex | such as 00:04:00:01 or 00:04:*',
    ],
  },
  {
    name: 'lease times that contradict each other',
    files: edited(
      ['    gateway: 10.0.0.1\n', '    lease: 2h\n    maxLease: 1h\n'],
      ['allow: unknown', 'maxLease: 5m\n        minLease: 10m'],
    ),
    errors: [
      'site.yaml:8:15: maxLease is shorter than the lease of 7200 seconds',
      'site.yaml:17:19: minLease is longer than the longest lease, 300 seconds',
    ],
  },
  {
    name: 'pools with several ranges, and with members that there are not',
    files: edited(
      [
        'range: 10.0.0.200-10.0.0.220',
        'range: [10.0.0.200-10.0.0.220, 10.0.0.1-10.0.0.9, 10.0.1.9]\n        deny: [rck]',
      ],
      ['allow: unknown', 'allow: [unkown, rack]'],
      ['profiles:\n  compute:\n', 'classes:\n  rack: { macs: 52:54:00:* }\nprofiles:\n  compute:\n'],
    ),
    errors: [
      "site.yaml:9:40: pool 10.0.0.1-10.0.0.9 holds this server's address 10.0.0.2 | leave it out: 10.0.0.1 and 10.0.0.3-10.0.0.9",
      "site.yaml:9:40: pool 10.0.0.1-10.0.0.9 holds the gateway's address 10.0.0.1 | leave it out: 10.0.0.2-10.0.0.9",
      'site.yaml:9:59: pool 10.0.1.9 lies outside the subnet 10.0.0.0/24',
      'site.yaml:10:16: there is no class "rck" | did you mean "rack"?',
      'site.yaml:16:17: there is no class "unkown" | did you mean "unknown"?',
    ],
  },
  {
    name: 'keys that are missing',
    files: edited(['    subnet: 192.168.0.0/24\n', ''], ['    mac: 52:54:00:00:00:52\n', '']),
    errors: [
      'site.yaml:10:3: key "subnet" is missing: a subnet | such as 10.0.0.0/24',
      'site.yaml:24:3: node "node02" has no MAC address | a node is known by it: write `mac:`',
    ],
  },
  {
    name: 'the rest of a node whose MAC address has a wrong form',
    files: edited(['mac: 52:54:00:00:00:51', 'mac: [52:54:00:00:00, 5]'], ['profiles: [compute]', 'profiles: [other]']),
    errors: [
      'site.yaml:22:11: "52:54:00:00:00" is not a MAC address | such as 52:54:00:00:00:51',
      'site.yaml:22:27: expected a MAC address, found the number 5 | such as 52:54:00:00:00:51',
      'site.yaml:24:16: there is no profile "other" | known profiles: compute',
    ],
  },
  {
    name: 'an empty value',
    files: edited(['mac: 52:54:00:00:00:52', 'mac:']),
    errors: ['site.yaml:26:5: expected a MAC address or a list of MAC addresses, found nothing'],
  },
  {
    name: 'a wrong item in a list, reported beside a wrong address behind it',
    files: edited(['    pools:\n      - range: 10.0.0.200', '    pools:\n      - 7\n      - range: 10.1.0.200']),
    errors: [
      'site.yaml:9:9: expected a pool, found the number 7',
      'site.yaml:10:16: "10.1.0.200-10.0.0.220" is not a range of addresses | it runs backwards: did you mean 10.0.0.220-10.1.0.200?',
    ],
  },
  {
    name: 'places stay right behind an item that was left out',
    files: edited(['    pools:\n      - range: 10.0.0.200-', '    pools:\n      - 7\n      - range: 10.0.0.1-']),
    errors: [
      'site.yaml:9:9: expected a pool, found the number 7',
      "site.yaml:10:16: pool 10.0.0.1-10.0.0.220 holds this server's address 10.0.0.2 | leave it out: 10.0.0.1 and 10.0.0.3-10.0.0.220",
      "site.yaml:10:16: pool 10.0.0.1-10.0.0.220 holds the gateway's address 10.0.0.1 | leave it out: 10.0.0.2-10.0.0.220",
    ],
    warnings: [
      'site.yaml:10:16: pool 10.0.0.1-10.0.0.220 holds the address of node01, 10.0.0.51 and those of 1 more | only this node gets it; leave it out of the pool',
    ],
  },
  {
    name: 'a pool that holds the address of a node',
    files: edited(['10.0.0.200-10.0.0.220', '[10.0.0.40-10.0.0.50, 10.0.0.52-10.0.0.60]']),
    warnings: [
      'site.yaml:9:38: pool 10.0.0.52-10.0.0.60 holds the address of node02, 10.0.0.52 | only this node gets it; leave it out of the pool',
    ],
  },
  {
    name: 'options that fit no small message, of a network, a pool and nodes',
    files: edited(
      ['    gateway: 10.0.0.1\n', `    gateway: 10.0.0.1\n    routes: [${manyRoutes(42)}]\n`],
      [
        '        allow: unknown\n',
        `        allow: unknown\n        options: { 200: { text: ${'x'.repeat(240)} }, 202: { text: ${'z'.repeat(100)} } }\n`,
      ],
      ['overlays: [nova]\n', `overlays: [nova]\n    options: { 201: { text: ${'y'.repeat(200)} } }\n`],
    ),
    warnings: [
      'site.yaml:3:3: the options of network "openstack" take 357 bytes, and a client need not take more than 312: the rest goes into the fields for names, which firmware may not read | give fewer routes, domains and servers, or shorter ones',
      'site.yaml:3:3: the options of node01 in network "openstack" take 567 bytes, and a client need not take more than 312: option 201 is left out for those that do not take more | give fewer routes, domains and servers, or shorter ones',
      'site.yaml:7:14: clients that take the routes will not use this gateway (RFC 3442) | add { to: 0.0.0.0/0, via: 10.0.0.1 } to the routes',
      'site.yaml:11:3: the options of pool 192.168.0.111-192.168.0.150 of network "lan" take 397 bytes, and a client need not take more than 312: the rest goes into the fields for names, which firmware may not read | give fewer routes, domains and servers, or shorter ones',
    ],
  },
  {
    name: 'numbers and durations out of bounds',
    files: edited(
      ['site: g-rack', 'site: g-rack\nhttp: { port: 80800 }\ndhcp: { probe: ping, probeTime: 20s }\nrefresh: 5s'],
      ['    gateway: 10.0.0.1\n', '    lease: 0\n    mtu: 20\n'],
    ),
    errors: [
      'site.yaml:2:15: 80800 is not a port from 1 to 65535',
      'site.yaml:3:16: "ping" is not one of arp, icmp or off',
      'site.yaml:3:33: out of bounds: expected a duration from 0.01 to 10 seconds',
      'site.yaml:4:10: out of bounds: expected a duration from 10 to 604800 seconds',
      'site.yaml:10:12: out of bounds: a lease lasts at least 1 second; "infinite" is the longest',
      'site.yaml:11:10: 20 is not an MTU from 68 to 65535',
    ],
  },
  {
    name: 'subnets that overlap',
    files: edited(
      ['subnet: 192.168.0.0/24', 'subnet: 10.0.0.128/25'],
      ['192.168.0.111-192.168.0.150', '10.0.0.130-10.0.0.140'],
    ),
    errors: [
      'site.yaml:12:13: subnet 10.0.0.128/25 of network "lan" overlaps subnet 10.0.0.0/24 of network "openstack" (site.yaml:5:13) | an address can belong to one of them only',
    ],
  },
  {
    name: 'pools that overlap',
    files: edited(['10.0.0.200-10.0.0.220', '10.0.0.200-10.0.0.220\n      - range: 10.0.0.220-10.0.0.230']),
    errors: [
      'site.yaml:10:16: pool 10.0.0.220-10.0.0.230 of network "openstack" overlaps pool 10.0.0.200-10.0.0.220 of network "openstack" (site.yaml:9:16) | an address can belong to one of them only',
    ],
  },
  {
    name: 'a pool outside its subnet, and one that holds the broadcast address',
    files: edited(
      ['10.0.0.200-10.0.0.220', '10.0.0.200-10.0.1.20'],
      ['192.168.0.111-192.168.0.150', '192.168.0.111-192.168.0.255'],
    ),
    errors: [
      'site.yaml:9:16: pool 10.0.0.200-10.0.1.20 lies outside the subnet 10.0.0.0/24',
      'site.yaml:14:16: pool 192.168.0.111-192.168.0.255 holds the broadcast address 192.168.0.255 | leave it out: 192.168.0.111-192.168.0.254',
    ],
  },
  {
    name: 'server, gateway, broadcast and router outside their subnet',
    files: edited(
      [
        'server: 10.0.0.2',
        'server: 10.0.1.2\n    broadcast: 10.0.1.255\n    routes: [{ to: 0.0.0.0/0, via: 10.0.1.1 }, { to: 10.9.0.0/16, via: 0.0.0.0 }]',
      ],
      ['gateway: 10.0.0.1', 'gateway: 10.0.0.255'],
    ),
    errors: [
      'site.yaml:6:13: server 10.0.1.2 lies outside the subnet 10.0.0.0/24',
      'site.yaml:7:16: broadcast 10.0.1.255 lies outside the subnet 10.0.0.0/24',
      'site.yaml:8:36: router 10.0.1.1 lies outside the subnet 10.0.0.0/24 | clients can only reach a router on their own wire',
    ],
  },
  {
    name: 'routes that put the gateway out of use',
    files: edited(['gateway: 10.0.0.1', 'gateway: 10.0.0.1\n    routes: [{ to: 10.9.0.0/16, via: 10.0.0.3 }]']),
    warnings: [
      'site.yaml:7:14: clients that take the routes will not use this gateway (RFC 3442) | add { to: 0.0.0.0/0, via: 10.0.0.1 } to the routes',
    ],
  },
  {
    name: 'a gateway on the broadcast address',
    files: edited(['gateway: 10.0.0.1', 'gateway: 10.0.0.255']),
    errors: ['site.yaml:7:14: gateway 10.0.0.255 is the broadcast address of 10.0.0.0/24'],
  },
  {
    name: 'a server elsewhere, of a network that only relays reach',
    files: edited(['  lan:\n    interface: br0\n', '  lan:\n    server: 10.0.0.2\n']),
  },
  {
    name: 'a MAC address and an IP address given to two nodes',
    files: edited(['52:54:00:00:00:52\n    ip: 10.0.0.52', '[52-54-00-00-00-51, 5254.0000.0053]\n    ip: 10.0.0.51']),
    errors: [
      'site.yaml:26:11: MAC address 52:54:00:00:00:51 is taken by node "node01" (site.yaml:22:10) | each node has its own',
      'site.yaml:27:9: address 10.0.0.51 is taken by node "node01" (site.yaml:23:9) | each node has its own',
    ],
  },
  {
    name: 'a MAC address listed twice, and one of a group',
    files: edited(['mac: 52:54:00:00:00:52', 'mac: [52:54:00:00:00:52, 52:54:00:00:00:52, 01:00:5e:00:00:01]']),
    errors: [
      'site.yaml:26:30: MAC address 52:54:00:00:00:52 is listed twice',
      "site.yaml:26:49: MAC address 01:00:5e:00:00:01 is a multicast address | the first byte of a network card's address is even",
    ],
  },
  {
    name: 'node addresses in no network, on the network address, and of the server',
    files: edited(
      ['ip: 10.0.0.51', 'ip: 10.9.0.51'],
      ['ip: 10.0.0.52', 'ip: 10.0.0.0\n  node03: { mac: 52:54:00:00:00:53, ip: 10.0.0.2 }'],
    ),
    errors: [
      'site.yaml:23:9: address 10.9.0.51 lies in no network of this site | networks: openstack 10.0.0.0/24, lan 192.168.0.0/24',
      'site.yaml:27:9: address 10.0.0.0 is the network address of 10.0.0.0/24',
      'site.yaml:28:41: address 10.0.0.2 is this server\'s in network "openstack"',
    ],
  },
  {
    name: 'a log that cannot be kept',
    files: edited(['site: g-rack', 'log: { syslog: { facility: local9, to: 10.0.0 }, journald: maybe, format: xml }']),
    errors: [
      'site.yaml:1:28: "local9" is not one of kern, user, mail, daemon, auth, syslog, lpr, news, uucp, cron, authpriv, ftp, ntp, audit, alert, clock, local0, local1, local2, local3, local4, local5, local6 or local7 | did you mean "local0"?',
      'site.yaml:1:40: "10.0.0" is not an address, or an address and a port | such as 10.0.0.9:514',
      'site.yaml:1:60: expected true or false, found the text "maybe"',
      'site.yaml:1:75: "xml" is not one of text or json',
    ],
  },
  {
    name: 'no follow-up error for nodes of a network whose form is wrong',
    files: edited(['subnet: 10.0.0.0/24', 'subnet: 10.0.0.0']),
    errors: ['site.yaml:5:13: "10.0.0.0" is not a subnet | such as 10.0.0.0/24'],
  },
  {
    name: 'names that nothing has',
    files: edited(
      ['image: bookworm', 'image: bookwrom'],
      ['overlays: [nova]', 'overlays: [nova, novaa, zzz]'],
      ['profiles: [compute]', 'profiles: [computer]'],
    ),
    errors: [
      'site.yaml:18:12: there is no image "bookwrom" | did you mean "bookworm"?',
      'site.yaml:19:22: there is no overlay "novaa" | did you mean "nova"?',
      'site.yaml:19:29: there is no overlay "zzz" | make the folder overlays/zzz, or see `reveille overlay list`; the site\'s own: nova',
      'site.yaml:24:16: there is no profile "computer" | did you mean "compute"?',
    ],
  },
  {
    name: 'an image without any recipe',
    files: { 'site.yaml': 'profiles: { a: { image: debian } }\n' },
    errors: ['site.yaml:1:25: there is no image "debian" | write its recipe, images/debian.yaml'],
  },
  {
    name: 'tokens and files that cannot be replaced',
    files: edited([
      'overlays: [nova]',
      'replace: { etc/x: { XXX: a }, /etc/../x: { XXX: a }, /etc/nova/nova.conf: { "": a, YYY: [b] } }',
    ]),
    errors: [
      'site.yaml:19:16: "etc/x" is no file | such as /etc/nova/nova.conf',
      'site.yaml:19:35: "/etc/../x" is no file | such as /etc/nova/nova.conf',
      'site.yaml:19:81: a token is 1 to 255 characters on one line | such as XXX',
      'site.yaml:19:93: expected text that takes the place of a token, found a list',
    ],
  },
  {
    name: 'kernel words that are added for each node',
    files: edited(['overlays: [nova]', 'kernelArgs: [quiet, "TFTP=10.0.0.2", "a reveille.node=x"]']),
    errors: [
      'site.yaml:19:25: TFTP= is added for each node by itself | leave it out',
      'site.yaml:19:42: reveille.node= is added for each node by itself | leave it out',
    ],
  },
  {
    name: 'node names that no host can have',
    files: edited(
      ['  node02:', '  node_02:'],
      ['ip: 10.0.0.52', 'ip: 10.0.0.52\n  NODE01: { mac: 52:54:00:00:00:53, ip: 10.0.0.53 }'],
    ),
    errors: [
      'site.yaml:25:3: "node_02" cannot name a node | a host name has letters, digits and inner hyphens, 63 at most (RFC 1123)',
      'site.yaml:28:3: node "NODE01" differs from node "node01" (site.yaml:21:3) in case only | host names ignore case',
    ],
  },
  {
    name: 'a service that is no unit',
    files: edited(['overlays: [nova]', 'services: [nova-compute, "a/b"]']),
    errors: ['site.yaml:19:30: "a/b" is not the name of a systemd unit | such as nova-compute'],
  },
  {
    name: 'a menu without files, default or folder',
    files: edited([
      'site: g-rack',
      'site: g-rack\nmenu:\n  default: tyni\n  entries:\n    tiny: { kernel: tiny/linux }\n    node: { kernel: ../x }\n',
    ]),
    errors: [
      'site.yaml:3:12: there is no menu entry "tyni" | did you mean "tiny"?',
      'site.yaml:5:21: "tiny/linux" has no folder: tftp.root is not set | set `tftp: { root: FOLDER }`',
      'site.yaml:6:5: "node" cannot name a menu entry | it stands for what the node itself boots',
      'site.yaml:6:21: "../x" leaves tftp.root | write a path below it, without ".."',
    ],
  },
  ...(
    [
      ['.', 'FOLDER holds the site'],
      ['./', 'FOLDER holds the site'],
      ['nodes/..', 'FOLDER holds the site'],
      ['..', 'PARENT holds the site'],
      ['/', '/ holds the site'],
      ['overlays', 'FOLDER/overlays holds overlays'],
      ['overlays/nova', 'FOLDER/overlays/nova holds overlays'],
      ['overlays/nova/etc', 'FOLDER/overlays/nova/etc is part of an overlay'],
    ] as const
  ).map(([root, words]) => ({
    name: `tftp.root: ${root}`,
    files: {
      ...edited(['site: g-rack', `site: g-rack\ntftp: { root: ${root} }`]),
      'nodes/node01/hosts': '',
      'overlays/nova/etc/x': '',
    },
    errors: [
      `site.yaml:2:15: ${words}, which anyone on the boot network could fetch | make a folder for what is to be served and nothing else, such as \`tftp: { root: tftp }\``,
    ],
  })),
  {
    name: 'secrets where others can read them',
    files: {
      ...edited([
        'site: g-rack',
        'site: g-rack\ntftp: { root: boot }\nsecrets:\n  a: { file: boot/a }\n  b: { file: nodes/node01/files/etc/b }\n  c: { file: overlays/nova/etc/c }\n  d: { file: kept/d }\n  e: { file: nodes/node02/not-yet }',
      ]),
      'boot/a': 'x',
      'nodes/node01/files/etc/b': 'x',
      'overlays/nova/etc/c': 'x',
      'kept/d': 'x',
    },
    errors: [
      'site.yaml:4:3: the file of secret "a" lies below tftp.root: anyone on the boot network could fetch it | move it, for example to secrets/a',
      'site.yaml:5:3: the file of secret "b" lies in the folder of a node: anyone on the boot network could fetch it | move it, for example to secrets/b',
      'site.yaml:6:3: the file of secret "c" lies in an overlay: every node with that overlay would get it | move it, for example to secrets/c',
      'site.yaml:8:3: the file of secret "e" lies in the folder of a node: anyone on the boot network could fetch it | move it, for example to secrets/not-yet',
    ],
  },
  {
    name: 'tftp.root that is not there',
    files: edited(['site: g-rack', 'site: g-rack\ntftp: { root: /nonexistent/tftp }']),
    errors: ['site.yaml:2:15: there is no folder /nonexistent/tftp | make it, or change tftp.root'],
  },
  {
    name: 'a profile in two places, and a broken one in its own file',
    files: {
      ...edited(['profiles: [compute]', 'profiles: [compute, storage]']),
      'profiles/compute.yaml': 'image: bookworm\n',
      'profiles/storage.yaml': 'image: [bookworm]\nkernelArg: [a]\n',
    },
    errors: [
      'site.yaml:17:3: profile "compute" stands in profiles/compute.yaml too | keep one of the two',
      'profiles/storage.yaml:1:8: expected a name, found a list | such as bookworm-nova',
      'profiles/storage.yaml:2:1: unknown key "kernelArg" | did you mean "kernelArgs"?',
    ],
  },
  {
    name: 'broken recipes',
    files: {
      ...FILES,
      'images/a.yaml': 'from: { debian: Bookworm! }\npackages: [a b]\nremove: [../x]\nkeep: [etc]\ncompress: xz\n',
      'images/b.yaml': 'packages: [x]\n',
      'images/c.yaml': 'from: { iso: x }\n',
      'images/d.yaml': 'from: { debian: bookworm }\nmirror: http://a.example/\nmirrors: [http://b.example/]\n',
      'root.tar': '',
      'images/e.yaml': 'from: { debian: bookworm, tar: root.tar }\n',
      'images/f.yaml': 'from: {}\n',
      'images/g.yaml': 'from: { tar: root.tar, tag: a }\n',
      'images/h.yaml': 'from: { partition: 2, oci: root.tar }\n',
    },
    errors: [
      'images/a.yaml:1:17: "Bookworm!" is not a Debian suite | such as bookworm',
      'images/a.yaml:2:12: "a b" is not a package | such as linux-image-cloud-amd64',
      'images/a.yaml:3:10: "../x" is not a package or an absolute path | such as rsyslog or /usr/share/doc/**',
      'images/a.yaml:4:8: "etc" is not an absolute path | such as /usr/share/doc/**',
      'images/a.yaml:5:11: "xz" is not one of auto, zstd or gzip',
      'images/b.yaml:1:1: key "from" is missing: where the image comes from',
      'images/c.yaml:1:9: unknown key "iso" | known keys: debian, ubuntu, tar, oci, tag, disk, partition',
      'images/d.yaml:2:1: `mirror` and `mirrors` are both given | keep one of them',
      'images/e.yaml:1:7: an image comes from one place | write { debian: SUITE }, { ubuntu: SUITE }, { tar: FILE }, { oci: FILE } or { disk: FILE }',
      'images/f.yaml:1:7: no key names the source of the image | write { debian: SUITE }, { ubuntu: SUITE }, { tar: FILE }, { oci: FILE } or { disk: FILE }',
      'images/g.yaml:1:24: `tag` has no effect without `oci`',
      'images/h.yaml:1:9: `partition` has no effect without `disk`',
    ],
  },
  {
    name: 'recipes that extend none, themselves, or each other',
    files: {
      ...FILES,
      'images/a.yaml': 'extends: bookwurm\n',
      'images/b.yaml': 'extends: b\n',
      'images/c.yaml': 'packages: [x]\nextends: d\n',
      'images/d.yaml': 'extends: c\n',
      'images/e.yaml': 'extends: bookworm\nfrom: {}\n',
    },
    errors: [
      'images/a.yaml:1:10: there is no image "bookwurm" | did you mean "bookworm"?',
      'images/b.yaml:1:10: a recipe cannot extend itself: b, b',
      'images/d.yaml:1:10: a recipe cannot extend itself: c, d, c',
      'images/e.yaml:2:7: no key names the source of the image | write { debian: SUITE }, { ubuntu: SUITE }, { tar: FILE }, { oci: FILE } or { disk: FILE }',
    ],
  },
  {
    name: 'keys of a node in the column of the nodes',
    files: {
      'site.yaml':
        'networks:\n  a: { subnet: 10.0.0.0/24 }\nnodes:\n  node01:\n  mac: 52:54:00:00:00:51\n  ip: 10.0.0.51\n',
    },
    errors: [
      'site.yaml:5:3: "mac", "ip" stand beside "node01" and not in it | indent it deeper than "node01" in line 4',
    ],
  },
  {
    name: 'a key of a profile in the column of the profiles',
    files: { 'site.yaml': 'profiles:\n  image: bookworm\n  compute: {}\n' },
    errors: [
      'site.yaml:2:3: "image" stands beside the names of entries and not in it | indent it deeper than the name that it belongs to',
    ],
  },
  {
    name: 'a syntax error in one file, other errors in another',
    files: {
      ...FILES,
      'site.yaml': 'networks:\n  a: [1\nnodes: {}\n',
      'images/bookworm.yaml': 'from: { debian: 12 }\n',
    },
    errors: [
      'site.yaml:2:6: this [ is not closed | write the ] that belongs to it',
      'images/bookworm.yaml:1:17: expected a Debian suite, found the number 12 | such as bookworm',
    ],
  },
  {
    name: 'a list for a site',
    files: { 'site.yaml': '- a\n' },
    errors: ['site.yaml:1:1: expected the settings of a site, such as "networks:", found a list'],
  },
  { name: 'an empty site', files: { 'site.yaml': '' } },
  {
    name: 'a file that is too long',
    files: { ...FILES, 'profiles/x.yaml': `# ${'x'.repeat(1_000_001)}\n` },
    errors: ['profiles/x.yaml:1:1: this file is longer than 1 MB'],
  },
  {
    name: 'doubtful things: warned of, and loaded',
    files: {
      ...edited(
        [
          'site: g-rack',
          'site: g-rack\ntftp: { root: tftp }\nmenu: { entries: { tiny: { kernel: /tiny/linux, initrd: [tiny/initrd] } } }',
        ],
        ['10.0.0.200-10.0.0.220', '10.0.0.200-10.0.0.220\n        allow: unknown'],
        ['    ip: 10.0.0.52\n', ''],
      ),
      'tftp/tiny/initrd': 'x',
      'nodes/10-0-0-15/': '',
      'nodes/10-0-0-51/': '',
      'nodes/node01/': '',
      'nodes/stray/': '',
      'images/old.yml': '',
    },
    warnings: [
      'site.yaml:3:36: there is no file "tiny/linux" below FOLDER/tftp | the entry shows but does not boot',
      'site.yaml:28:3: node "node02" has no address and no pool is open to known nodes | give it `ip:`, or a network a pool with `allow: known`',
      'images/old.yml:1:1: this file is not read | its name must end in .yaml',
      'nodes/10-0-0-15:1:1: no node has this name or address | did you mean "10-0-0-51"?',
      'nodes/stray:1:1: no node has this name or address | a folder is named for a node, or for its address with dashes',
    ],
  },
  {
    name: 'nodes that boot a menu entry',
    files: {
      'site.yaml': `networks: { openstack: { subnet: 10.0.0.0/24 } }
tftp: { root: tftp }
profiles:
  old: { boot: nvoa, image: none }
  new: { boot: local, kernelArgs: [quiet] }
menu:
  entries:
    nova: { kernel: linux, ipappend: 0 }
    tiny: { kernel: linux }
    local: { kernel: linux }
    failed: { kernel: linux }
nodes:
  node01: { mac: 52:54:00:00:00:51, ip: 10.0.0.51, profiles: [old], boot: nova }
`,
      'tftp/linux': 'x',
    },
    errors: [
      'site.yaml:4:16: `boot` and `image` stand side by side | a machine boots one of the two: leave one out',
      'site.yaml:4:16: there is no menu entry "nvoa" | did you mean "nova"?',
      'site.yaml:4:29: there is no image "none" | write its recipe, images/none.yaml',
      'site.yaml:8:38: 0 is not a sum of pxelinux ipappend bits from 1 to 262143',
      'site.yaml:10:5: "local" cannot name a menu entry | it stands for the next boot device',
      'site.yaml:11:5: "failed" cannot name a menu entry | it stands for a boot that failed',
    ],
    warnings: [
      'site.yaml:5:35: kernelArgs are not added to the words of a menu entry | write them into menu.entries.local.args',
    ],
  },
  {
    name: "options of no known name, of a wrong value, given twice, and those that are not the operator's",
    files: edited(
      ['gateway: 10.0.0.1', 'options: { ntp-servrs: 10.0.0.9, 300: 00, tftp-server-name: 5, 54: "0a000002" }'],
      ['overlays: [nova]', 'options: { tftp-server-name: boot.example.org, 66: "626f6f74" }'],
    ),
    errors: [
      'site.yaml:7:16: there is no DHCP option "ntp-servrs" | did you mean "ntp-servers"?',
      'site.yaml:7:43: option 300: numbers run from 1 to 254',
      'site.yaml:7:65: option tftp-server-name must be text',
      "site.yaml:7:72: option 54 cannot be set: it comes from the network's `server`",
      'site.yaml:19:16: option 66 is given twice | keep one of its names, or its number',
    ],
  },
];

describe('loading a site folder', () => {
  for (const { name, files, errors = [], warnings = [] } of TABLE) {
    it(name, () =>
      withSiteFolder(files, async (folder) => {
        const loaded = await loadSite(folder);
        const texts = (list: Loaded['warnings']) =>
          list.map((one) => findingText(one).replaceAll(folder, 'FOLDER').replaceAll(dirname(folder), 'PARENT'));
        assert.deepEqual(loaded.ok ? [] : texts(loaded.findings), errors);
        assert.deepEqual(texts(loaded.warnings), warnings);
      }),
    );
  }

  it('reports bytes that are no text, and of a folder where a file belongs', () =>
    withSiteFolder({ ...FILES, 'profiles/dir.yaml/': '' }, async (folder) => {
      await writeFile(join(folder, 'profiles/latin.yaml'), Uint8Array.of(0x61, 0x3a, 0x20, 0xe9));
      await symlink('nowhere', join(folder, 'profiles/link.yaml'));
      const loaded = await loadSite(folder);
      assert.deepEqual(loaded.ok ? [] : loaded.findings.map((one) => findingText(one).replaceAll(folder, 'FOLDER')), [
        'profiles/dir.yaml:1:1: this is not a file',
        'profiles/latin.yaml:1:4: this is not UTF-8 text (byte 0xe9) | save it as UTF-8',
        'profiles/link.yaml:1:1: there is no profiles/link.yaml in FOLDER',
      ]);
    }));

  it('follows links of overlays and node folders inside the site, and reports what nothing reads', () =>
    withSiteFolder({ ...FILES, 'shared/o/': '', 'nodes/node.sh': '', 'nodes/README': '' }, async (folder) => {
      for (const [path, target] of Object.entries({
        'overlays/linked': '../shared/o',
        'overlays/out': '/usr/share',
        'overlays/gone': 'nowhere',
        'overlays/.#x': 'me@host.1:2',
        'nodes/gone': '../shared/gone',
        'nodes/file': '../site.yaml',
      })) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await symlink(target, join(folder, path));
      }
      for (const name of [
        'overlays/a~',
        'overlays/b.bak',
        'profiles/c.yaml.bak',
        'profiles/c.YAML',
        'site.yml',
        'nodes/x.swp',
      ])
        await mkdir(dirname(join(folder, name)), { recursive: true }).then(() => writeFile(join(folder, name), ''));
      for (const name of ['node', 'Overlays', 'profile', 'tftp']) await mkdir(join(folder, name));
      const loaded = await loadSite(folder);
      assert.deepEqual(loaded.ok ? [] : loaded.findings.map(findingText), [
        'nodes/gone:1:1: this link leads to nothing | repair it or remove it',
        'overlays/gone:1:1: this link leads to nothing | repair it or remove it',
        'overlays/out:1:1: this link leads out of the site, to /usr/share | copy its target into the site',
      ]);
      const stray = 'this is not a folder, and nothing reads it here | files stand in folders:';
      assert.deepEqual(
        loaded.warnings.map(findingText).filter((text) => !text.includes('no node has this name')),
        [
          'Overlays:1:1: this folder is not used by the site | did you mean "overlays"?',
          'node:1:1: this folder is not used by the site | did you mean "nodes"?',
          `nodes/file:1:1: ${stray} nodes/NAME/...`,
          `nodes/node.sh:1:1: ${stray} nodes/NAME/...`,
          'profile:1:1: this folder is not used by the site | did you mean "profiles"?',
          'profiles/c.YAML:1:1: this file is not read | its name must end in .yaml',
          'site.yml:1:1: this file is not used by the site | did you mean "site.yaml"?',
        ],
      );
    }));

  it('follows links to where what it serves really lies, and knows the state folder', async () => {
    const words = async (files: SiteFiles, links: Readonly<Record<string, string>>, stateFolder?: string) =>
      withSiteFolder(files, async (folder) => {
        for (const [path, target] of Object.entries(links)) {
          await mkdir(dirname(join(folder, path)), { recursive: true });
          await symlink(target.replace('FOLDER', folder), join(folder, path));
        }
        const state = stateFolder === undefined ? {} : { stateFolder: join(folder, stateFolder) };
        const loaded = await loadSite(folder, state);
        return loaded.ok
          ? []
          : loaded.findings.map(({ message }) => message.replaceAll(folder, 'FOLDER').replace(/,? which anyone.*/, ''));
      });
    const served = edited(['site: g-rack', 'site: g-rack\ntftp: { root: boot }']);
    const secret = edited(['site: g-rack', 'site: g-rack\ntftp: { root: boot }\nsecrets: { a: { file: kept/a } }']);
    assert.deepEqual(await words(served, { boot: 'FOLDER' }), ['FOLDER/boot holds the site']);
    assert.deepEqual(await words(served, { boot: 'overlays' }), ['FOLDER/boot holds overlays']);
    assert.deepEqual(await words({ ...served, 'boot/x': '' }, { 'overlays/linked': '../boot' }), [
      'FOLDER/boot holds overlays',
    ]);
    assert.deepEqual(await words({ ...secret, 'boot/real': 'x' }, { 'kept/a': '../boot/real' }), [
      'the file of secret "a" lies below tftp.root: anyone on the boot network could fetch it',
    ]);
    assert.deepEqual(await words({ ...secret, 'boot/x': '' }, { kept: 'boot' }), [
      'the file of secret "a" lies below tftp.root: anyone on the boot network could fetch it',
    ]);
    assert.deepEqual(await words({ ...served, 'boot/state/x': '' }, {}, 'boot/state'), ['FOLDER/boot holds the state']);
    assert.deepEqual(await words({ ...served, 'boot/x': '' }, {}, 'boot'), ['FOLDER/boot holds the state']);
    assert.deepEqual(await words({ ...served, 'real/x': '' }, { boot: 'real', state: 'real' }, 'state'), [
      'FOLDER/boot holds the state',
    ]);
    // Beside each other, they do not concern each other; nor does a folder whose name only begins like another's.
    assert.deepEqual(await words({ ...secret, 'boot/x': '', 'boot-state/x': '', 'kept/a': 'x' }, {}, 'boot-state'), []);
  });

  it('reports a folder that is not there', async () => {
    const loaded = await loadSite('/nonexistent/site');
    assert.deepEqual(loaded.ok ? [] : loaded.findings.map(findingText), [
      'site.yaml:1:1: there is no site.yaml in /nonexistent/site | name the site folder with --site DIR',
    ]);
  });
});

describe('a site that loads', () => {
  it('has its defaults filled in', async () => {
    const site = await loadGood({
      'site.yaml': 'networks: { a: { subnet: 10.1.0.0/16, pools: [{ range: 10.1.0.9 }] } }',
    });
    assert.deepEqual(site.networks.get('a'), {
      name: 'a',
      subnet: { base: ip('10.1.0.0'), prefix: 16 },
      broadcast: ip('10.1.255.255'),
      dns: [],
      ntp: [],
      search: [],
      routes: [],
      relays: [],
      leaseSeconds: 3600,
      pools: [
        { range: { first: ip('10.1.0.9'), last: ip('10.1.0.9') }, allow: ['known'], deny: [], options: new Map() },
      ],
      options: new Map(),
    });
    assert.match(site.name, /^reveille-site-/);
    assert.deepEqual(site.menu, { timeoutSeconds: 3, default: 'node', entries: [] });
    assert.deepEqual(site.tftp, { singlePort: false, maxTransfers: 1024, maxTransfersPerClient: 16 });
    assert.deepEqual(site.http, { port: 8080 });
    assert.deepEqual(site.dhcp, { probe: 'arp', probeMs: 500, strangersPerPort: 64 });
    assert.deepEqual(site.log, { format: 'text', journald: false });
  });

  it('has nodes that belong to a network, by their address, their own word or their profile', async () => {
    const site = await loadGood({
      'site.yaml': `
networks:
  a: { subnet: 10.1.0.0/16, pools: [{ range: 10.1.0.9 }] }
  b: { subnet: 10.2.0.0/16, pools: [{ range: 10.2.0.9 }] }
profiles: { far: { network: b } }
nodes:
  n1: { mac: 52:54:00:00:00:01, ip: 10.1.0.1 }
  n2: { mac: 52:54:00:00:00:02, network: a }
  n3: { mac: 52:54:00:00:00:03, profiles: [far] }
  n4: { mac: 52:54:00:00:00:04, profiles: [far], network: a }
  n5: { mac: 52:54:00:00:00:05, ip: 10.2.0.1, profiles: [far] }
`,
    });
    assert.deepEqual(
      [...site.nodes.values()].map(({ network }) => network),
      ['a', 'a', 'b', 'a', 'b'],
    );
  });

  it('has a log by facility, and by server', async () => {
    const log = async (text: string) => (await loadGood({ 'site.yaml': `log: ${text}\n` })).log;
    assert.deepEqual(await log('{ syslog: local7, journald: true }'), {
      format: 'text',
      journald: true,
      syslog: { facility: 'local7' },
    });
    assert.deepEqual(await log('{ syslog: { to: 10.0.0.9 }, format: json }'), {
      format: 'json',
      journald: false,
      syslog: { facility: 'daemon', to: { ip: ip('10.0.0.9'), port: 514 } },
    });
  });

  it('has classes in their order, and pools that name them', async () => {
    const site = await loadGood({
      'site.yaml': `
networks:
  a:
    subnet: 10.1.0.0/16
    nextServer: 10.1.0.9
    pools:
      - range: [10.1.0.9, 10.1.0.20-10.1.0.29]
        allow: [rack, known]
        deny: phones
        lease: 5m
        nextServer: 10.1.0.7
        bootFile: c
        options: { mtu: 1400 }
classes:
  rack:
    macs: [52:54:00:00:00:51, '52-54-01:*', 00:1a:4b:80:00:00/25]
    vendorClass: PXE*
    arch: [bios, 7]
    lease: 10m
    bootFile: pxelinux.0
  phones: { circuitId: { hex: '00:04:*' } }
profiles: { p: { nextServer: 10.1.0.8, bootFile: a } }
nodes: { n: { mac: 52:54:00:00:00:51, profiles: [p], bootFile: b } }
`,
    });
    const [rack, phones] = [...site.classes.values()];
    assert.deepEqual(rack, {
      name: 'rack',
      conditions: {
        macs: [
          { mac: mac('52:54:00:00:00:51'), bits: 48 },
          { mac: mac('52:54:01:00:00:00'), bits: 24 },
          { mac: mac('00:1a:4b:80:00:00'), bits: 25 },
        ],
        vendorClass: [Int16Array.of(...Buffer.from('PXE'), ANY_BYTES)],
        arch: ['bios', 7],
      },
      leaseSeconds: 600,
      bootFile: 'pxelinux.0',
      options: new Map(),
    });
    assert.deepEqual(phones?.conditions, { circuitId: [Int16Array.of(0, 4, ANY_BYTES)] });
    const network = site.networks.get('a');
    assert.equal(network?.nextServer, ip('10.1.0.9'));
    assert.deepEqual(
      network?.pools.map(({ range, ...pool }) => pool),
      [1, 2].map(() => ({
        allow: ['rack', 'known'],
        deny: ['phones'],
        leaseSeconds: 300,
        nextServer: ip('10.1.0.7'),
        bootFile: 'c',
        options: new Map([[26, Uint8Array.of(0x05, 0x78)]]),
      })),
    );
    const node = site.nodes.get('n');
    assert.deepEqual([node?.nextServer, node?.bootFile], [ip('10.1.0.8'), 'b']);
  });

  it('has nodes with their profiles merged in order, their own settings last', async () => {
    const site = await loadGood({
      'site.yaml': `
vars: { region: one, nova: { cpu: 1, ram: 1 } }
networks: { a: { subnet: 10.0.0.0/24 } }
profiles:
  base: { image: plain, loader: ipxe, kernelArgs: [quiet, console=ttyS0], overlays: [base], vars: { nova: { cpu: 2 } } }
nodes:
  n1:
    mac: [52:54:00:00:00:51, 52-54-00-00-00-52]
    ip: 10.0.0.51
    profiles: [base, own]
    kernelArgs: [debug, quiet]
    services: [libvirtd]
    vars: { rack: g6 }
`,
      'profiles/own.yaml': 'image: fancy\nservices: [nova-compute]\nvars: { nova: { disk: 3 } }\n',
      'images/plain.yaml': RECIPE,
      'images/fancy.yaml': RECIPE,
      'overlays/base/': '',
      'nodes/10-0-0-51/': '',
      'nodes/n1/': '',
    });
    const node = site.nodes.get('n1');
    assert.deepEqual(node, {
      name: 'n1',
      macs: [mac('52:54:00:00:00:51'), mac('52:54:00:00:00:52')],
      ip: ip('10.0.0.51'),
      network: 'a',
      profiles: ['base', 'own'],
      image: 'fancy',
      loader: 'ipxe',
      kernelArgs: ['quiet', 'console=ttyS0', 'debug'],
      overlays: ['base'],
      overlayOrigins: new Map([['base', { by: 'profile base', place: { file: 'site.yaml', line: 5, col: 86 } }]]),
      replace: [],
      services: ['nova-compute', 'libvirtd'],
      vars: { region: 'one', nova: { cpu: 2, ram: 1, disk: 3 }, rack: 'g6' },
      options: new Map(),
      folders: ['10-0-0-51', 'n1'],
    });
    assert.equal(site.nodeByMac.get(mac('52:54:00:00:00:52')), node);
    assert.equal(site.nodeByIp.get(ip('10.0.0.51')), node);
  });

  it('has the tokens of its profiles, each file and token once, the last value', async () => {
    const site = await loadGood({
      'site.yaml': `
networks: { a: { subnet: 10.0.0.0/24 } }
profiles:
  old: { replace: { /etc/nova/nova.conf: { XXX: eth1, YYY: "{{ node.ip }}" } } }
nodes:
  n1: { mac: 52:54:00:00:00:51, ip: 10.0.0.51, profiles: [old], replace: { /etc/nova/nova.conf: { XXX: eth2, ZZZ: 7 } } }
`,
    });
    const texts = site.nodes.get('n1')?.replace.map(({ path, token, value, by }) => [path, token, value, by]);
    assert.deepEqual(texts, [
      ['/etc/nova/nova.conf', 'XXX', 'eth2', 'node n1'],
      ['/etc/nova/nova.conf', 'YYY', '{{ node.ip }}', 'profile old'],
      ['/etc/nova/nova.conf', 'ZZZ', '7', 'node n1'],
    ]);
  });

  it('has recipes with packages and paths apart, and archives found from the site folder', async () => {
    const site = await loadGood({
      'site.yaml': '',
      'root.tar': 'x',
      'images/a.yaml':
        'from: { debian: trixie }\nmirror: http://deb.example.org/debian\nremove: [rsyslog, /usr/share/sounds/**]\nkeep: [/usr/share/doc/x]\nslim: false\nrun: [echo hi]\ncheck: ["true"]\nignoreMissing: [/opt/**]\n',
      'images/b.yaml': 'from: { tar: root.tar }\n',
      'images/c.yaml': 'from: { oci: root.tar, tag: "nova:1" }\n',
      'images/d.yaml': 'from: { disk: root.tar, partition: 2 }\n',
      'images/e.yaml': 'from: { ubuntu: jammy }\nkeyring: root.tar\n',
    });
    assert.deepEqual(site.images.get('a'), {
      name: 'a',
      from: { kind: 'debian', suite: 'trixie' },
      mirrors: ['http://deb.example.org/debian'],
      packages: [],
      removePackages: ['rsyslog'],
      removePaths: ['/usr/share/sounds/**'],
      keepPaths: ['/usr/share/doc/x'],
      slim: false,
      run: ['echo hi'],
      check: ['true'],
      ignoreMissing: ['/opt/**'],
      root: 'initramfs',
      initrdModules: [],
      compress: 'auto',
      place: { file: 'images/a.yaml', line: 1, col: 1 },
    });
    assert.deepEqual(site.images.get('b')?.from, { kind: 'tar', path: join(site.root, 'root.tar') });
    assert.equal(site.images.get('b')?.mirrors, undefined);
    const path = join(site.root, 'root.tar');
    assert.deepEqual(site.images.get('c')?.from, { kind: 'oci', path, tag: 'nova:1' });
    assert.deepEqual(site.images.get('d')?.from, { kind: 'disk', path, partition: '2' });
    assert.deepEqual(site.images.get('e')?.from, { kind: 'ubuntu', suite: 'jammy' });
    assert.equal(site.images.get('e')?.keyring, path);
  });

  it('has recipes that extend others: lists joined, the extended first, and of other keys what is given last', async () => {
    const site = await loadGood({
      'site.yaml': '',
      'images/above.yaml': 'extends: base\npackages: [b]\nrun: [two]\nremove: [/y]\ncompress: zstd\n',
      'images/base.yaml':
        'from: { debian: bookworm }\nmirror: http://a.example/\nroot: squashfs\nslim: false\npackages: [a]\nrun: [one]\nremove: [x]\ncompress: gzip\n',
      'images/top.yaml': 'extends: above\nfrom: { debian: trixie }\nmirrors: [http://b.example/]\nslim: true\n',
    });
    const { extends: base, ...above } = site.images.get('above') ?? assert.fail();
    assert.equal(base, site.images.get('base'));
    assert.deepEqual(above, {
      name: 'above',
      from: { kind: 'debian', suite: 'bookworm' },
      mirrors: ['http://a.example/'],
      packages: ['a', 'b'],
      removePackages: ['x'],
      removePaths: ['/y'],
      keepPaths: [],
      slim: false,
      run: ['one', 'two'],
      check: [],
      ignoreMissing: [],
      root: 'squashfs',
      initrdModules: [],
      compress: 'zstd',
      place: { file: 'images/above.yaml', line: 1, col: 1 },
    });
    const top = site.images.get('top');
    assert.deepEqual(top?.from, { kind: 'debian', suite: 'trixie' });
    assert.deepEqual(top?.mirrors, ['http://b.example/']);
    assert.deepEqual([top?.slim, top?.root, top?.compress, top?.run], [true, 'squashfs', 'zstd', ['one', 'two']]);
  });

  it('has DHCP options in wire form, those of a node over those of its profiles', async () => {
    const site = await loadGood({
      'site.yaml': `
networks: { a: { subnet: 10.0.0.0/24, options: { ntp-servers: [10.0.0.9], 224: 0102ff } } }
profiles: { p: { options: { tftp-server-name: one, 224: aa } } }
nodes: { n: { mac: 52:54:00:00:00:51, ip: 10.0.0.51, profiles: [p], options: { 224: bb } } }
`,
    });
    const hex = (options: RawOptions | undefined) =>
      [...(options ?? [])].map(([code, bytes]) => `${code}=${Buffer.from(bytes).toString('hex')}`);
    assert.deepEqual(hex(site.networks.get('a')?.options), ['224=0102ff', '42=0a000009']);
    assert.deepEqual(hex(site.nodes.get('n')?.options), ['224=bb', '66=6f6e65']);
  });

  for (const [written, seconds] of [
    ['2h', 7200],
    ['1h30m', 5400],
    ['90s', 90],
    ['90', 90],
    ['"90"', 90],
    ['1d', 86400],
    ['infinite', 0xffffffff],
  ] as const) {
    it(`has a lease of ${seconds} s where ${written} is written`, async () => {
      const site = await loadGood({ 'site.yaml': `networks: { a: { subnet: 10.0.0.0/24, lease: ${written} } }` });
      assert.equal(site.networks.get('a')?.leaseSeconds, seconds);
    });
  }

  it('has the menu with cleaned file names', async () => {
    const site = await loadGood({
      'site.yaml': `
menu: { timeout: 1500ms, default: tiny, entries: { tiny: { title: Tiny, kernel: /tiny/linux, initrd: 'tiny\\initrd', args: [quiet] } } }
tftp: { root: boot }`,
      'boot/tiny/linux': 'x',
      'boot/tiny/initrd': 'x',
    });
    assert.equal(site.tftp.root, join(site.root, 'boot'));
    assert.deepEqual(site.menu, {
      timeoutSeconds: 1.5,
      default: 'tiny',
      entries: [{ name: 'tiny', title: 'Tiny', kernel: 'tiny/linux', initrd: ['tiny/initrd'], args: ['quiet'] }],
    });
  });

  it('may be two thousand nodes big', async () => {
    const lines = ['networks: { a: { subnet: 10.0.0.0/16 } }', 'nodes:'];
    for (let i = 1; i <= 2000; i++) {
      const hex = i.toString(16).padStart(4, '0');
      lines.push(`  n${i}:`, `    mac: 52:54:00:00:${hex.slice(0, 2)}:${hex.slice(2)}`);
      lines.push(`    ip: ${formatIpv4((ip('10.0.0.0') + i) as Ipv4)}`, `    vars: { rack: r${i % 40} }`);
    }
    const site = await loadGood({ 'site.yaml': lines.join('\n') });
    assert.equal(site.nodes.size, 2000);
    assert.equal(site.nodeByIp.get(ip('10.0.7.208'))?.name, 'n2000');
  });

  for (const example of ['site-in-20-lines', 'g-rack']) {
    it(`is examples/${example}`, async () => {
      const loaded = await loadSite(fileURLToPath(new URL(`../../examples/${example}`, import.meta.url)));
      assert.deepEqual(loaded.ok ? [] : loaded.findings.map(findingText), []);
    });
  }
});

describe('how often nodes ask for changed files', () => {
  const rows = [
    ['', 600],
    ['refresh: off\n', 0],
    ['refresh: 1h30m\n', 5400],
    ['refresh: 45\n', 45],
  ] as const;
  for (const [line, seconds] of rows) {
    it(`${line.trim() || 'nothing set'}: ${seconds} s`, async () => {
      await withSiteFolder({ 'site.yaml': `site: g-rack\n${line}` }, async (folder) => {
        const loaded = await loadSite(folder);
        assert.equal(loaded.ok && loaded.site.refreshSeconds, seconds);
      });
    });
  }
});
