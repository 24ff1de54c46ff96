import { type Said, say } from '../../src/dhcp/testing/fixture.ts';
import { OPTION } from '../../src/model/options.ts';
import { ip, mac } from '../../src/site/testing/fixture.ts';
import { NOT_AUTHORITATIVE } from './dhcpd-differences.ts';
import type { Play } from './parity.rig.ts';
import { asksFor, Machine } from './twin-clients.ts';
import { SENTINEL } from './twins.rig.ts';

/** The same site twice, as its operator wrote it for dhcpd and for us, and what clients say in it. */
export type Configuration = Play & {
  readonly dhcpd: string;
  readonly site: string;
};

/** What both are told besides, so that the rig works: no waiting for pings, and a client whose answer ends each step. */
const DHCPD_RIG = `ping-check false;
host sentinel { hardware ethernet ${SENTINEL}; fixed-address 10.0.0.250; }
`;
const SITE_RIG = `dhcp: { probe: off }
`;
const SITE_SENTINEL = `  sentinel: { mac: ${SENTINEL}, ip: 10.0.0.250 }
`;

const pxe = (arch: string): Said => say(OPTION.vendorClass, `PXEClient:Arch:${arch}:UNDI:003000`);
const arch = (type: number): Said => say(OPTION.clientArch, [type]);
const clientId = (...bytes: number[]): Said => [61, Uint8Array.from(bytes)];
const lease = (seconds: number): Said => say(OPTION.leaseTime, seconds);

const NODE01 = mac('52:54:00:00:00:51');
const SPARE = mac('52:54:00:00:00:60');
const FOREIGN_MEMBER = mac('52:54:00:00:00:61');
const DESKTOP = mac('52:54:00:00:01:00');
const GUEST = mac('02:00:00:00:0a:01');
const GUEST2 = mac('02:00:00:00:0a:02');

function rack(): Configuration {
  const node01 = new Machine('node01', NODE01);
  const spare = new Machine('a known member without an address', SPARE);
  const member = new Machine('a member that is unknown', FOREIGN_MEMBER);
  const desktop = new Machine('desktop2', DESKTOP);
  const guest = new Machine('a stranger', GUEST);
  const guest2 = new Machine('another stranger', GUEST2);
  const returning = new Machine('a stranger without a record', mac('02:00:00:00:0a:03'));
  return {
    name: NOT_AUTHORITATIVE,
    addresses: ['10.0.0.2/24', '192.168.0.2/24'],
    beyond: [],
    dhcpd: `${DHCPD_RIG}
class "openstack" { match hardware; }
subclass "openstack" 1:${NODE01};
subclass "openstack" 1:${SPARE};
subclass "openstack" 1:${FOREIGN_MEMBER};
max-lease-time 7200;
option domain-name-servers 192.0.2.53, 192.0.2.54;
shared-network one-wire {
  subnet 192.168.0.0 netmask 255.255.255.0 {
    option broadcast-address 192.168.0.255;
    option routers 192.168.0.1;
  }
  subnet 10.0.0.0 netmask 255.255.255.0 {
    option subnet-mask 255.255.255.0;
    option routers 10.0.0.1;
  }
  pool {
    deny members of "openstack";
    range 192.168.0.111 192.168.0.150;
  }
  pool {
    allow members of "openstack";
    deny unknown-clients;
    range 10.0.0.200 10.0.0.200;
  }
}
host node01-nova {
  hardware ethernet ${NODE01};
  fixed-address 10.0.0.51;
  option routers 10.0.0.1;
  option host-name "node01";
  next-server 10.0.0.2;
  filename "pxelinux.0";
}
host spare { hardware ethernet ${SPARE}; option host-name "spare"; }
host desktop2 { hardware ethernet ${DESKTOP}; fixed-address 192.168.0.100; }
`,
    site: `${SITE_RIG}
networks:
  openstack:
    interface: lan0
    subnet: 10.0.0.0/24
    gateway: 10.0.0.1
    dns: [192.0.2.53, 192.0.2.54]
    lease: 2h
    pools: [{ range: 10.0.0.200, allow: openstack, deny: unknown }]
  lan:
    interface: lan0
    subnet: 192.168.0.0/24
    gateway: 192.168.0.1
    dns: [192.0.2.53, 192.0.2.54]
    lease: 2h
    pools: [{ range: 192.168.0.111-192.168.0.150, allow: any, deny: openstack }]
classes:
  openstack: { macs: ['${NODE01}', '${SPARE}', '${FOREIGN_MEMBER}'] }
nodes:
  node01: { mac: ${NODE01}, ip: 10.0.0.51, nextServer: 10.0.0.2, bootFile: pxelinux.0 }
  spare: { mac: ${SPARE} }
  desktop2: { mac: ${DESKTOP}, ip: 192.168.0.100 }
${SITE_SENTINEL}`,
    steps: [
      node01.discover(),
      node01.select(),
      node01.renew('10.0.0.2'),
      node01.rebind(),
      node01.reboot(),
      node01.reboot('10.0.0.99'),
      node01.reboot('172.16.0.9'),
      node01.discover(pxe('00000'), arch(0), asksFor(1, 3, 60, 66, 67, 128)),
      node01.says('dhclient: DISCOVER'),
      node01.says('dhclient: REQUEST'),
      node01.says('dhclient: REQUEST after a restart'),
      node01.says('udhcpc: DISCOVER'),
      node01.says('udhcpc: REQUEST'),
      node01.says('dhcpcd: REQUEST after a restart'),
      node01.says('systemd-networkd: DISCOVER'),
      node01.says('systemd-networkd: REQUEST'),
      node01.says("iPXE in a network card's ROM: DISCOVER"),
      node01.says("iPXE in a network card's ROM: REQUEST"),
      node01.says('undionly.kpxe: DISCOVER'),
      node01.says('undionly.kpxe: REQUEST'),
      node01.says('UEFI (OVMF): DISCOVER'),
      node01.says('UEFI (OVMF): REQUEST'),
      node01.inform('10.0.0.51'),
      node01.release(),
      spare.discover(),
      spare.select(),
      spare.rebind(),
      member.discover(),
      member.reboot('10.0.0.200'),
      desktop.discover(),
      desktop.select(),
      desktop.says('udhcpc: DISCOVER'),
      guest.discover(),
      guest.select(),
      guest.renew('192.168.0.2'),
      guest.reboot(),
      guest.says('dhclient: DISCOVER'),
      guest.says('dhclient: REQUEST'),
      guest.says("iPXE in a network card's ROM: DISCOVER"),
      guest.reboot('10.0.0.51'),
      returning.reboot('192.168.0.149'),
      guest2.reboot('172.16.0.9'),
      guest2.renew('192.168.0.2', '192.168.0.140'),
      guest2.reboot('192.168.0.141'),
      guest2.selectThat('192.168.0.130', '192.168.0.77'),
      guest2.inform('192.168.0.77'),
      guest2.discover(lease(600)),
      guest2.discover(lease(86400)),
      guest.release(),
      guest.discover(),
    ],
  };
}

/** Two subnets behind relays, of which one sorts machines by their port; a host that is kept an address in one of them. */
function relays(): Configuration {
  const FAR = mac('52:54:00:00:07:51');
  const left = (option82?: readonly number[]) => ({
    giaddr: '10.7.0.1',
    server: '10.0.0.2',
    ...(option82 ? { option82 } : {}),
  });
  const right = { giaddr: '10.8.0.1', server: '10.0.0.2' };
  const port = (name: string) => [1, name.length, ...Buffer.from(name)];
  const usual = [asksFor(1, 28, 3, 6, 12, 51)];
  const guest = new Machine('a stranger behind a relay', GUEST, usual, left());
  const seven = new Machine('a stranger on port 7', GUEST2, usual, left(port('eth0/1/7')));
  const eight = new Machine(
    'a stranger on port 8',
    mac('02:00:00:00:0a:03'),
    usual,
    left([...port('eth0/1/8'), 2, 2, 9, 9]),
  );
  const selected = new Machine('a stranger whose link is selected', mac('02:00:00:00:0a:04'), usual, {
    giaddr: '10.0.0.9',
    server: '10.0.0.2',
    option82: [5, 4, 10, 8, 0, 0],
  });
  const lost = new Machine('a stranger behind a relay that nobody knows', mac('02:00:00:00:0a:05'), usual, {
    giaddr: '172.16.0.1',
    server: '10.0.0.2',
  });
  const far = new Machine('far behind its own relay', FAR, usual, left());
  const moved = new Machine('far behind another relay', FAR, usual, right);
  const home = new Machine('far on the wire of the server', FAR, usual);
  const direct = new Machine('a stranger without relay', mac('02:00:00:00:0a:06'), usual);
  return {
    name: 'relays',
    addresses: ['10.0.0.2/24'],
    beyond: ['10.7.0.0/24', '10.8.0.0/24', '172.16.0.0/24'],
    dhcpd: `${DHCPD_RIG}
authoritative;
default-lease-time 1200;
max-lease-time 1200;
option domain-name-servers 192.0.2.53;
class "seven" { match if option agent.circuit-id = "eth0/1/7"; }
subnet 10.0.0.0 netmask 255.255.255.0 {
  option routers 10.0.0.1;
  option broadcast-address 10.0.0.255;
}
subnet 10.7.0.0 netmask 255.255.255.0 {
  option routers 10.7.0.1;
  option broadcast-address 10.7.0.255;
  pool { allow members of "seven"; range 10.7.0.70; }
  pool { deny members of "seven"; range 10.7.0.100 10.7.0.119; default-lease-time 300; max-lease-time 300; }
}
subnet 10.8.0.0 netmask 255.255.255.0 {
  option routers 10.8.0.1;
  option broadcast-address 10.8.0.255;
  range 10.8.0.100 10.8.0.109;
}
host far { hardware ethernet ${FAR}; fixed-address 10.7.0.51; option host-name "far"; }
`,
    site: `${SITE_RIG}
networks:
  near: { interface: lan0, subnet: 10.0.0.0/24, gateway: 10.0.0.1, dns: [192.0.2.53], lease: 20m }
  left:
    subnet: 10.7.0.0/24
    gateway: 10.7.0.1
    dns: [192.0.2.53]
    lease: 20m
    pools:
      - { range: 10.7.0.70, allow: seven }
      - { range: 10.7.0.100-10.7.0.119, allow: any, deny: seven, lease: 5m }
  right:
    subnet: 10.8.0.0/24
    server: 10.0.0.2
    gateway: 10.8.0.1
    dns: [192.0.2.53]
    lease: 20m
    pools: [{ range: 10.8.0.100-10.8.0.109, allow: any }]
classes:
  seven: { circuitId: eth0/1/7 }
nodes:
  far: { mac: ${FAR}, ip: 10.7.0.51 }
${SITE_SENTINEL}`,
    steps: [
      guest.discover(),
      guest.select(),
      guest.rebind(),
      guest.reboot(),
      guest.reboot('10.8.0.100'),
      seven.discover(),
      seven.select(),
      seven.reboot('10.7.0.100'),
      eight.discover(),
      eight.select(),
      selected.discover(),
      selected.select(),
      lost.discover(),
      far.discover(),
      far.select(),
      far.renew('10.0.0.2'),
      far.inform('10.7.0.51'),
      far.informWithoutAddress('10.7.0.51'),
      guest.inform('10.7.0.100'),
      guest.informWithoutAddress('10.7.0.100'),
      selected.informWithoutAddress('10.8.0.100'),
      lost.informWithoutAddress('172.16.0.5'),
      direct.informWithoutAddress('10.7.0.51'),
      direct.informWithoutAddress('10.8.0.51'),
      moved.discover(),
      moved.select(),
      home.discover(),
      direct.discover(),
      direct.renew('10.0.0.2', '10.7.0.100'),
      guest.release(),
    ],
  };
}

/** Boot files by firmware, by loader and by machine, and options of groups. */
function firmware(): Configuration {
  const GROUPED = mac('52:54:00:00:00:71');
  const OWN = mac('52:54:00:00:00:72');
  const PLAIN = mac('52:54:00:00:00:73');
  const pxeAsked = asksFor(1, 3, 17, 43, 60, 66, 67, 97);
  const speaking = (vendorClass: Said, ...more: Said[]) => [pxeAsked, vendorClass, ...more];
  const bios = new Machine('BIOS firmware', GUEST, speaking(pxe('00000'), arch(0)));
  const efi = new Machine('UEFI firmware', GUEST2, speaking(pxe('00007'), arch(7)));
  const efi9 = new Machine('UEFI firmware of type 9', mac('02:00:00:00:0a:03'), speaking(pxe('00009'), arch(9)));
  const ipxe = new Machine(
    'iPXE',
    mac('02:00:00:00:0a:04'),
    speaking(pxe('00000'), arch(0), [77, Buffer.from('iPXE')]),
  );
  const http = new Machine(
    'UEFI firmware over HTTP',
    mac('02:00:00:00:0a:05'),
    speaking(say(OPTION.vendorClass, 'HTTPClient:Arch:00016:UNDI:003001'), arch(16)),
  );
  const system = new Machine('an operating system', mac('02:00:00:00:0a:06'));
  const grouped = new Machine('a host of the group', GROUPED, speaking(pxe('00000'), arch(0)));
  const own = new Machine('a host with a file of its own', OWN, speaking(pxe('00000'), arch(0)));
  const ownSystem = new Machine('its operating system', OWN);
  const plain = new Machine('a host without a group', PLAIN, speaking(pxe('00007'), arch(7)));
  return {
    name: 'boot files by firmware',
    addresses: ['10.0.0.2/24'],
    beyond: [],
    dhcpd: `${DHCPD_RIG}
authoritative;
default-lease-time 600;
max-lease-time 600;
option arch code 93 = unsigned integer 16;
next-server 10.0.0.9;
class "pxe" {
  match if substring(option vendor-class-identifier, 0, 9) = "PXEClient";
  option root-path "/from/pxe";
  if option arch = 00:07 or option arch = 00:09 {
    filename "snponly.efi";
  } else {
    filename "undionly.kpxe";
  }
}
class "ipxe" {
  match if option user-class = "iPXE";
  filename "http://10.0.0.9/boot.ipxe";
  option root-path "/from/ipxe";
}
class "http" {
  match if substring(option vendor-class-identifier, 0, 10) = "HTTPClient";
  option vendor-class-identifier "HTTPClient";
  filename "http://10.0.0.9/boot.efi";
}
subnet 10.0.0.0 netmask 255.255.255.0 {
  option routers 10.0.0.1;
  option broadcast-address 10.0.0.255;
  pool { range 10.0.0.100 10.0.0.119; option root-path "/from/pool"; }
}
group {
  filename "pxelinux.0";
  next-server 10.0.0.8;
  option root-path "/from/group";
  host grouped { hardware ethernet ${GROUPED}; fixed-address 10.0.0.71; option host-name "grouped"; }
  host own {
    hardware ethernet ${OWN};
    fixed-address 10.0.0.72;
    filename "own.0";
    option root-path "/from/host";
    option host-name "own";
  }
}
host plain { hardware ethernet ${PLAIN}; fixed-address 10.0.0.73; option host-name "plain"; }
`,
    site: `${SITE_RIG}
networks:
  rack:
    interface: lan0
    subnet: 10.0.0.0/24
    gateway: 10.0.0.1
    lease: 10m
    nextServer: 10.0.0.9
    pools: [{ range: 10.0.0.100-10.0.0.119, allow: any, options: { root-path: /from/pool } }]
# Of dhcpd's classes the first has its way, of ours the last.
classes:
  http: { vendorClass: 'HTTPClient*', bootFile: 'http://10.0.0.9/boot.efi' }
  ipxe: { userClass: iPXE, bootFile: 'http://10.0.0.9/boot.ipxe', options: { root-path: /from/ipxe } }
  pxe-bios: { vendorClass: 'PXEClient*', bootFile: undionly.kpxe, options: { root-path: /from/pxe } }
  pxe-efi: { vendorClass: 'PXEClient*', arch: efi-x64, bootFile: snponly.efi }
profiles:
  group: { bootFile: pxelinux.0, nextServer: 10.0.0.8, options: { root-path: /from/group } }
nodes:
  grouped: { mac: ${GROUPED}, ip: 10.0.0.71, profiles: [group] }
  own: { mac: ${OWN}, ip: 10.0.0.72, profiles: [group], bootFile: own.0, options: { root-path: /from/host } }
  plain: { mac: ${PLAIN}, ip: 10.0.0.73 }
${SITE_SENTINEL}`,
    steps: [
      ...[bios, efi, efi9, ipxe, http, system].flatMap((machine) => [machine.discover(), machine.select()]),
      ...[grouped, own, ownSystem, plain].flatMap((machine) => [machine.discover(), machine.select()]),
      bios.says("iPXE in a network card's ROM: DISCOVER"),
      efi.says('UEFI (OVMF): DISCOVER'),
      efi.says('UEFI (OVMF): REQUEST'),
      system.inform('10.0.0.33'),
    ],
  };
}

/** Options, spaces of options and boot files that are said in one scope and count in another. */
function scopes(): Configuration {
  const OF_GROUP = mac('52:54:00:00:00:91');
  const BY_ITSELF = mac('52:54:00:00:00:92');
  const REPEATING = mac('52:54:00:00:00:93');
  const asked = asksFor(1, 3, 17, 43, 66, 67, 208, 209, 210, 200, 100);
  const user = (name: string): Said => [77, Buffer.from(name)];
  const vendor = (name: string): Said => say(OPTION.vendorClass, name);
  const machine = (name: string, n: number, ...said: Said[]) =>
    new Machine(name, mac(`02:00:00:00:0c:${n.toString(16).padStart(2, '0')}`), [asked, ...said]);
  const machines = [
    machine('a client', 1),
    machine('iPXE that is not asked', 2, user('iPXE')),
    machine('an access point', 3, vendor('acme ap')),
    machine('an access point in a branch', 4, vendor('acme ap'), user('branch')),
    machine('a member of the pool', 5, vendor('of the pool')),
    machine('one with options of the site', 6, user('site')),
    machine('one whose condition is said again', 7, user('early')),
    new Machine('a host of the group', OF_GROUP, [asked]),
    new Machine('a host that says its own', BY_ITSELF, [asked, vendor('acme ap')]),
    new Machine('a host that says again what all are told', REPEATING, [asked, user('iPXE')]),
  ];
  const refused = [
    machine('a member of a class that may not boot', 0x10, vendor('refused')),
    machine('one that fits a condition under which nobody may boot', 0x11, user('refused')),
  ];
  return {
    name: 'settings of one scope that count in another',
    addresses: ['10.0.0.2/24'],
    beyond: [],
    dhcpd: `${DHCPD_RIG}
authoritative;
default-lease-time 600;
max-lease-time 600;
option space acme;
option acme.controller code 1 = ip-address;
option acme.name code 2 = text;
option acme.number code 3 = unsigned integer 16;
option space inner;
option inner.a code 7 = text;
option inner-carrier code 200 = encapsulate inner;
option space px;
option px.config code 209 = text;
option inner.a "for all";
option acme.number 5;
option px.config "for all";
next-server 10.0.0.9;
if option user-class = "early" { option root-path "/early"; }
if not (option user-class = "iPXE") { filename "undionly.kpxe"; } else { filename "http://10.0.0.9/x"; }
option root-path "/late";
if option user-class = "refused" { deny booting; }
class "refused" { match if option vendor-class-identifier = "refused"; ignore booting; }
if exists user-class { option pcode "some"; } else { option pcode "none"; }
class "Access-Points" {
  match if substring(option vendor-class-identifier, 0, 4) = "acme";
  option acme.name "class";
  if option user-class = "branch" { vendor-option-space acme; option acme.name "branch"; }
}
class "Pool-Members" { match if option vendor-class-identifier = "of the pool"; }
class "sites" { match if option user-class = "site"; site-option-space "px"; }
subnet 10.0.0.0 netmask 255.255.255.0 { }
subnet 10.0.0.0 netmask 255.255.255.0 {
  option routers 10.0.0.1;
  option broadcast-address 10.0.0.255;
  option acme.controller 10.0.0.5;
  option inner.a "subnet";
  pool { range 10.0.0.100 10.0.0.119; deny members of "Pool-Members"; }
  pool {
    range 10.0.0.130 10.0.0.139;
    allow members of "Pool-Members";
    vendor-option-space acme;
    option acme.name "pool";
    option inner.a "pool";
    option tftp-server-name "https://10.0.0.8/prov";
    filename "pool.0";
    next-server 10.0.0.2;
  }
}
host repeating {
  hardware ethernet ${REPEATING};
  fixed-address 10.0.0.93;
  option host-name "repeating";
  option subnet-mask 255.255.255.0;
  filename "undionly.kpxe";
}
group {
  vendor-option-space acme;
  option acme.name "group";
  next-server 10.0.0.2;
  filename "group.0";
  host of-group { hardware ethernet ${OF_GROUP}; fixed-address 10.0.0.91; option host-name "of-group"; }
  host by-itself {
    hardware ethernet ${BY_ITSELF};
    fixed-address 10.0.0.92;
    option host-name "by-itself";
    option acme.number 9;
    option inner.a "host";
    next-server 10.0.0.9;
    filename "host.0";
  }
}
`,
    site: `${SITE_RIG}
networks:
  rack:
    interface: lan0
    subnet: 10.0.0.0/24
    gateway: 10.0.0.1
    lease: 10m
    nextServer: 10.0.0.9
    bootFile: undionly.kpxe
    options: { root-path: /late, '100': { text: none }, '200': { hex: '07:06:73:75:62:6e:65:74' } }
    pools:
      - { range: 10.0.0.100-10.0.0.119, allow: any, deny: [Pool-Members, refused, refused-user] }
      - range: 10.0.0.130-10.0.0.139
        allow: Pool-Members
        nextServer: 10.0.0.2
        bootFile: pool.0
        options:
          tftp-server-name: https://10.0.0.8/prov
          '43': { hex: '01:04:0a:00:00:05:02:04:70:6f:6f:6c:03:02:00:05' }
          '200': { hex: '07:04:70:6f:6f:6c' }
classes:
  some: { userClass: '?*', options: { '100': { text: some } } }
  ipxe: { userClass: iPXE, bootFile: 'http://10.0.0.9/x' }
  branch:
    vendorClass: 'acme*'
    userClass: branch
    options: { '43': { hex: '01:04:0a:00:00:05:02:06:62:72:61:6e:63:68:03:02:00:05' } }
  Pool-Members: { vendorClass: of the pool }
  refused: { vendorClass: refused }
  refused-user: { userClass: refused }
  sites: { userClass: site, options: { '209': { text: for all } } }
profiles:
  group:
    nextServer: 10.0.0.2
    bootFile: group.0
    options: { '43': { hex: '01:04:0a:00:00:05:02:05:67:72:6f:75:70:03:02:00:05' } }
nodes:
  repeating: { mac: ${REPEATING}, ip: 10.0.0.93, bootFile: undionly.kpxe }
  of-group: { mac: ${OF_GROUP}, ip: 10.0.0.91, profiles: [group] }
  by-itself:
    mac: ${BY_ITSELF}
    ip: 10.0.0.92
    profiles: [group]
    nextServer: 10.0.0.9
    bootFile: host.0
    options:
      '43': { hex: '01:04:0a:00:00:05:02:05:67:72:6f:75:70:03:02:00:09' }
      '200': { hex: '07:04:68:6f:73:74' }
${SITE_SENTINEL}`,
    steps: [...machines.flatMap((one) => [one.discover(), one.select()]), ...refused.map((one) => one.discover())],
  };
}

/** How long leases last, and what becomes of them: wishes, moves, refusals, returns. */
function leases(): Configuration {
  const SERVER = mac('52:54:00:00:00:81');
  const FIXED = mac('52:54:00:00:00:82');
  const PHONE = mac('00:04:13:00:00:01');
  const usual = asksFor(1, 3, 28, 51);
  const machine = (name: string, n: number, ...said: Said[]) =>
    new Machine(name, mac(`02:00:00:00:0b:${n.toString(16).padStart(2, '0')}`), [usual, ...said]);
  const plain = machine('a client', 1);
  const wishing = [0, 1, 30, 200, 1800, 86400, 0xffffffff].map((seconds, n) => ({
    seconds,
    machine: machine(`a client with a wish`, 0x10 + n),
  }));
  const first = machine('a first', 2);
  const second = machine('a second', 3);
  const third = machine('a third', 4);
  const broadcasting = machine('one that cannot be reached but by broadcast', 5);
  const identified = machine('one with a client id', 6, clientId(0, 1, 2, 3));
  const renamed = machine('the same with another', 6, clientId(0, 9, 9, 9));
  const everything = new Machine('one that asks for nothing', mac('02:00:00:00:0b:07'), []);
  const small = machine('one that takes small messages', 8, say(OPTION.maxMessageSize, 576));
  const server = new Machine('a server with an endless lease', SERVER, [usual]);
  const phone = new Machine('a phone with a short one', PHONE, [usual]);
  const fixed = new Machine('a host with its own address', FIXED, [usual]);
  return {
    name: 'leases',
    addresses: ['10.0.0.2/24'],
    beyond: [],
    dhcpd: `${DHCPD_RIG}
authoritative;
default-lease-time 600;
min-lease-time 120;
max-lease-time 3600;
option domain-name "example.org";
class "phones" { match if substring(hardware, 1, 3) = 00:04:13; }
class "servers" { match hardware; }
subclass "servers" 1:${SERVER};
subnet 10.0.0.0 netmask 255.255.255.0 {
  option routers 10.0.0.1;
  option broadcast-address 10.0.0.255;
  pool { deny members of "phones"; deny members of "servers"; range 10.0.0.100 10.0.0.139; }
  pool { allow members of "phones"; range 10.0.0.150 10.0.0.159; default-lease-time 120; max-lease-time 120; }
  pool {
    allow members of "servers";
    range 10.0.0.160 10.0.0.169;
    default-lease-time 4294967295;
    max-lease-time 4294967295;
  }
}
host fixed { hardware ethernet ${FIXED}; fixed-address 10.0.0.82; option host-name "fixed"; }
`,
    site: `${SITE_RIG}
networks:
  rack:
    interface: lan0
    subnet: 10.0.0.0/24
    gateway: 10.0.0.1
    domain: example.org
    lease: 10m
    minLease: 2m
    maxLease: 1h
    pools:
      - { range: 10.0.0.100-10.0.0.139, allow: any, deny: [phones, servers] }
      - { range: 10.0.0.150-10.0.0.159, allow: phones, lease: 2m, maxLease: 2m }
      - { range: 10.0.0.160-10.0.0.169, allow: servers, lease: infinite, maxLease: infinite }
classes:
  phones: { macs: 00:04:13:* }
  servers: { macs: ${SERVER} }
nodes:
  fixed: { mac: ${FIXED}, ip: 10.0.0.82 }
${SITE_SENTINEL}`,
    steps: [
      plain.discover(),
      plain.select(),
      plain.renew('10.0.0.2'),
      plain.rebind(),
      plain.reboot(),
      plain.reboot('10.0.0.130'),
      plain.reboot('192.168.9.9'),
      plain.rebind('192.168.9.9'),
      plain.discover(say(OPTION.requestedAddress, ip('10.0.0.120'))),
      ...wishing.flatMap(({ seconds, machine }) => [machine.discover(lease(seconds)), machine.select(lease(seconds))]),
      server.discover(),
      server.select(),
      phone.discover(),
      phone.select(lease(3000)),
      first.discover(),
      first.select(),
      second.selectThat('10.0.0.77', '10.0.0.2'),
      second.reboot('10.0.0.82'),
      second.rebind('10.0.0.82'),
      second.rebind('10.0.0.138'),
      third.discover(),
      third.decline(),
      third.discover(),
      broadcasting.broadcast().discover(),
      broadcasting.broadcast().select(),
      identified.discover(),
      identified.select(),
      renamed.discover(),
      everything.discover(),
      everything.select(),
      small.discover(),
      fixed.discover(),
      fixed.select(lease(1800)),
      fixed.decline(),
      fixed.discover(),
      fixed.release(),
      fixed.discover(),
      fixed.reboot('10.0.0.100'),
      fixed.bootp(),
      fixed.bootp('10.0.0.82'),
      first.bootp(),
      first.inform('10.0.0.44'),
      first.informWithoutAddress('10.0.0.44'),
      first.informWithoutAddress('0.0.0.0'),
      first.informWithoutAddress('172.16.0.9'),
      first.broadcast().informWithoutAddress('10.0.0.44'),
      fixed.informWithoutAddress('10.0.0.82'),
      first.release(),
      first.release(),
      first.discover(),
    ],
  };
}

/** More options than a small message holds: in a larger one, or in the fields for names. */
function much(): Configuration {
  const usual = asksFor(1, 3, 6, 7, 28, 42, 119);
  const small = new Machine('a client that takes what every client takes', mac('02:00:00:00:0c:01'), [usual]);
  const large = new Machine('a client that takes more', mac('02:00:00:00:0c:02'), [
    usual,
    say(OPTION.maxMessageSize, 1500),
  ]);
  const some = (third: number, count: number) => Array.from({ length: count }, (_, n) => `10.9.${third}.${n + 1}`);
  const domains = ['compute', 'storage', 'control', 'office'].map((name) => `${name}.region-one.example.org`);
  return {
    name: 'more options than a small message holds',
    addresses: ['10.0.0.2/24'],
    beyond: [],
    dhcpd: `${DHCPD_RIG}
authoritative;
default-lease-time 600;
max-lease-time 600;
option domain-name-servers ${some(1, 10).join(', ')};
option ntp-servers ${some(2, 28).join(', ')};
option log-servers ${some(3, 28).join(', ')};
option domain-search ${domains.map((name) => `"${name}"`).join(', ')};
subnet 10.0.0.0 netmask 255.255.255.0 {
  option routers 10.0.0.1;
  option broadcast-address 10.0.0.255;
  range 10.0.0.100 10.0.0.139;
}
`,
    site: `${SITE_RIG}
networks:
  rack:
    interface: lan0
    subnet: 10.0.0.0/24
    gateway: 10.0.0.1
    dns: [${some(1, 10).join(', ')}]
    ntp: [${some(2, 28).join(', ')}]
    search: [${domains.join(', ')}]
    lease: 10m
    options: { log-servers: [${some(3, 28).join(', ')}] }
    pools: [{ range: 10.0.0.100-10.0.0.139, allow: any }]
nodes:
${SITE_SENTINEL}`,
    steps: [small, large].flatMap((machine) => [
      machine.discover(),
      machine.select(),
      machine.renew('10.0.0.2'),
      machine.inform('10.0.0.44'),
    ]),
  };
}

export const CONFIGURATIONS: readonly Configuration[] = [rack(), relays(), firmware(), scopes(), leases(), much()];
