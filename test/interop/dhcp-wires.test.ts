import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { networkOf, siteOf } from '../../src/dhcp/testing/fixture.ts';
import { ip, mac, nodeOf } from '../../src/site/testing/fixture.ts';
import {
  addMachine,
  addressesOf,
  clientScript,
  layBridge,
  memoryStore,
  requireTools,
  run,
  serve,
  sh,
  start,
  tidy,
  until,
} from './dhcp.rig.ts';

requireTools('dhclient', 'udhcpc');

/** Two wires, br0 and br1. A guest on the second has the MAC address of a node on the first, and all of its words. */
const MAC = mac('52:54:00:00:00:77');
const NODE = ip('10.0.0.200');
const folder = mkdtempSync(join(tmpdir(), 'reveille-dhcp-wires-'));
const script = clientScript(join(folder, 'script'), join(folder, 'notes'));

before(() => {
  layBridge();
  sh('ip link add br1 type bridge; ip addr add 10.9.0.2/24 dev br1; ip link set br1 up');
});
afterEach(tidy);
after(() => {
  sh('ip link del br0; ip link del br1');
  rmSync(folder, { recursive: true });
});

const site = siteOf(
  [
    networkOf('rack', '10.0.0.0/24', [['10.0.0.200-10.0.0.209', 'known']]),
    networkOf('guests', '10.9.0.0/24', [['10.9.0.100-10.9.0.109', 'any']], { interface: 'br1' }),
  ],
  [nodeOf('node07', [MAC], { network: 'rack' })],
);

const udhcpc = ['udhcpc', '-f', '-i', 'eth0', '-s', script, '-t', '5', '-T', '1'];

test('a guest with a node’s MAC address on another wire has a lease there, and neither the node’s nor the end of it', async () => {
  const store = memoryStore();
  const { server, events, kinds } = await serve(site, store);
  addMachine('node07', MAC);
  const node = start('node07', ...udhcpc);
  await until('the node', 15, () => addressesOf('node07').includes('10.0.0.200'), node.output);
  assert.equal(server.addressOf(MAC, 'rack'), NODE);
  assert.equal(server.addressOf(MAC, undefined), NODE);

  addMachine('guest', MAC);
  sh('ip link set to-guest master br1');
  const guest = start('guest', ...udhcpc);
  await until('the guest', 15, () => addressesOf('guest').includes('10.9.0.100'), guest.output);
  await guest.stop('SIGKILL');
  assert.equal(server.addressOf(MAC, 'rack'), NODE);
  assert.equal(server.addressOf(MAC, undefined), undefined, 'two live leases, and nobody knows which is the node');
  assert.equal(server.holderOf(NODE), MAC);
  assert.equal(server.holderOf(ip('10.9.0.100')), undefined, 'the guest is not the node');
  const wrong = events.filter(({ kind }) => kind === 'dhcp.wrong-network');
  assert.deepEqual(wrong, [{ kind: 'dhcp.wrong-network', mac: MAC, network: 'guests', expected: 'rack', via: 'br1' }]);

  // The guest says that it has the node's address, and gives it back.
  writeFileSync(
    join(folder, 'guest.leases'),
    `lease { interface "eth0"; fixed-address 10.0.0.200; option subnet-mask 255.0.0.0; option dhcp-lease-time 99999;
      option dhcp-server-identifier 10.9.0.2; renew 5 2037/01/01 00:00:00; rebind 5 2037/01/01 00:00:00;
      expire 5 2037/01/01 00:00:00; }\n`,
  );
  sh('ip -n guest addr add 10.0.0.200/32 dev eth0; ip -n guest route add 10.9.0.2 dev eth0 src 10.0.0.200');
  const files = ['-sf', script, '-lf', join(folder, 'guest.leases'), '-pf', join(folder, 'pid')];
  await run('guest', 10, 'dhclient', '-d', '-v', '-r', ...files, 'eth0');
  await until(
    'the forged RELEASE',
    10,
    () => kinds().includes('refused'),
    () => JSON.stringify(events.slice(-5)),
  );
  assert.ok(
    events.some(
      ({ kind, ...event }) => kind === 'dhcp.refused' && JSON.stringify(event).includes('does not come from'),
    ),
  );
  assert.equal(server.addressOf(MAC, 'rack'), NODE);
  assert.ok(!store.committed.some(({ state }) => state === 'released'));

  // The node itself gives it back.
  node.child.kill('SIGUSR2');
  await until('the RELEASE', 10, () => kinds().includes('release'), node.output);
  assert.equal(server.addressOf(MAC, 'rack'), undefined);
});
