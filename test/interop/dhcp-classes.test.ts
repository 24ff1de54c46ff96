import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { loadSite } from '../../src/site/load.ts';
import type { Site } from '../../src/site/site.ts';
import {
  addMachine,
  addressesOf,
  clientScript,
  layBridge,
  requireTools,
  run,
  serve,
  sh,
  start,
  tidy,
  until,
} from './dhcp.rig.ts';

requireTools('dhclient', 'udhcpc', 'dhcrelay');

const folder = mkdtempSync(join(tmpdir(), 'reveille-dhcp-classes-'));
const notes = join(folder, 'notes');
const script = clientScript(join(folder, 'script'), notes);

before(layBridge);
afterEach(tidy);
afterEach(() => rmSync(notes, { force: true }));
after(() => {
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

/** A rack, a LAN and phones on one wire, and a wire behind a relay whose ports are told apart. */
const SITE = `
networks:
  rack:
    interface: br0
    subnet: 10.0.0.0/24
    server: 10.0.0.2
    pools:
      - { range: 10.0.0.200-10.0.0.209, allow: rack, deny: unknown, lease: 5m }
      - { range: 10.0.0.210-10.0.0.219, allow: phones }
  lan:
    interface: br0
    subnet: 192.168.0.0/24
    server: 192.168.0.2
    gateway: 192.168.0.1
    pools: [{ range: 192.168.0.111-192.168.0.119, allow: any, deny: [rack, phones] }]
  far:
    subnet: 10.7.0.0/24
    pools:
      - { range: 10.7.0.70, allow: port }
      - { range: 10.7.0.10-10.7.0.20, allow: any, deny: port }
classes:
  rack: { macs: 52:54:00:00:0e:* }
  phones: { vendorClass: 'phone *', bootFile: phone.cfg, nextServer: 10.0.0.9, options: { root-path: /phones } }
  port: { circuitId: to-be* }
nodes:
  node01: { mac: 52:54:00:00:00:51, ip: 10.0.0.51 }
  node02: { mac: 52:54:00:00:0e:02 }
  desktop: { mac: 52:54:00:00:01:00, ip: 192.168.0.100 }
dhcp: { probe: off }
`;

async function site(): Promise<Site> {
  writeFileSync(join(folder, 'site.yaml'), SITE);
  const loaded = await loadSite(folder);
  return loaded.ok ? loaded.site : assert.fail(loaded.findings.map(({ message }) => message).join('\n'));
}

const udhcpc = (...more: string[]) => [
  'udhcpc',
  '-f',
  '-q',
  '-n',
  '-i',
  'eth0',
  '-s',
  script,
  '-t',
  '3',
  '-T',
  '1',
  ...more,
];

function dhclient(...said: string[]): string[] {
  const configuration = join(folder, 'dhclient.conf');
  writeFileSync(configuration, `timeout 8;\n${said.join('\n')}\n`);
  const files = ['-lf', join(folder, 'leases'), '-pf', join(folder, 'pid')];
  writeFileSync(join(folder, 'leases'), '');
  return ['dhclient', '-1', '-d', '-v', '-sf', script, '-cf', configuration, ...files, 'eth0'];
}

describe('on a wire with several subnets', () => {
  const rows: [what: string, mac: string, client: string[], address: RegExp | undefined][] = [
    ['a node has its address in one', '52:54:00:00:00:51', udhcpc(), /^10\.0\.0\.51$/],
    ['another has its in the other', '52:54:00:00:01:00', udhcpc(), /^192\.168\.0\.100$/],
    ['a known member draws from its class', '52:54:00:00:0e:02', udhcpc(), /^10\.0\.0\.20\d$/],
    ['a member that nobody knows gets nothing', '52:54:00:00:0e:03', udhcpc(), undefined],
    ['a stranger is on the LAN', '52:54:00:00:0f:01', udhcpc(), /^192\.168\.0\.11\d$/],
    ['a phone says that it is one', '52:54:00:00:0f:02', udhcpc('-V', 'phone 7'), /^10\.0\.0\.21\d$/],
  ];
  for (const [what, mac, client, expected] of rows) {
    test(what, async () => {
      addMachine('client', mac);
      await serve(await site());
      await run('client', 10, ...client);
      const [address = ''] = addressesOf('client');
      assert.match(address, expected ?? /^$/);
    });
  }

  test('a phone gets its boot file and options, and moves when it is a phone no more', async () => {
    addMachine('client', '52:54:00:00:0f:03');
    await serve(await site());
    const asking = 'also request root-path, tftp-server-name, bootfile-name;';
    const phone = start('client', ...dhclient('send vendor-class-identifier "phone 8";', asking));
    await until('an address', 10, () => addressesOf('client').includes('10.0.0.210'), phone.output);
    await until('notes', 5, () => /== BOUND/.test(readFileSync(notes, 'utf8')));
    await phone.stop('SIGKILL');
    for (const told of ['new_filename=phone.cfg', 'new_next_server=10.0.0.9', 'new_root_path=/phones']) {
      assert.ok(readFileSync(notes, 'utf8').includes(told), `${told} in\n${readFileSync(notes, 'utf8')}`);
    }

    const plain = start('client', 'dhclient', ...dhclient().slice(1));
    await until(
      'another address',
      15,
      () => addressesOf('client').some((ip) => /^192\.168\.0\.11\d$/.test(ip)),
      plain.output,
    );
    await plain.stop('SIGKILL');
  });
});

test('behind a relay a machine is known by the port that the relay names', async () => {
  addMachine('relay', '52:54:00:00:0d:01');
  addMachine('behind', '52:54:00:00:0d:02');
  addMachine('beside', '52:54:00:00:0d:03');
  for (const [name, address] of [
    ['behind', '10.7.0.1/24'],
    ['beside', '10.7.0.2/24'],
  ] as const) {
    sh(`ip link set to-${name} nomaster; ip link set to-${name} netns relay
      ip -n relay link set to-${name} up; ip -n relay addr add ${address} dev to-${name}`);
  }
  sh('ip -n relay link set to-beside name other; ip -n relay addr add 10.0.0.9/24 dev eth0');
  sh('ip route add 10.7.0.0/24 via 10.0.0.9');
  await serve(await site());
  const relay = start(
    'relay',
    'dhcrelay',
    '-4',
    '-d',
    '-a',
    '-iu',
    'eth0',
    '-id',
    'to-behind',
    '-id',
    'other',
    '10.0.0.2',
  );
  await until('the relay', 10, () => relay.output().includes('Sending on'), relay.output);
  await run('behind', 10, ...udhcpc());
  await run('beside', 10, ...udhcpc());
  assert.deepEqual([addressesOf('behind'), addressesOf('beside')], [['10.7.0.70'], ['10.7.0.10']], relay.output());
  sh('ip route del 10.7.0.0/24');
});
