import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { DhcpSite } from '../../src/dhcp/site.ts';
import type { Mac } from '../../src/model/mac.ts';
import { ip, mac, nodeOf } from '../../src/site/testing/fixture.ts';
import { serverTroubleText } from '../../src/words/trouble.ts';
import {
  addMachine,
  addressesOf,
  clientScript,
  layBridge,
  memoryStore,
  NODE_MAC,
  rackSite,
  requireTools,
  serve,
  sh,
  start,
  tidy,
  until,
} from './dhcp.rig.ts';

/** Real clients whose site is edited while their leases run. */

requireTools('udhcpc');

const folder = mkdtempSync(join(tmpdir(), 'reveille-edits-'));
const script = clientScript(join(folder, 'script'), join(folder, 'notes'));
const NEW_CARD = mac('52:54:00:0a:bc:07');

before(layBridge);
afterEach(tidy);
afterEach(() => sh('ip neigh flush dev br0'));
after(() => {
  sh('ip link del br0');
  rmSync(folder, { recursive: true });
});

const withCard = (site: DhcpSite, card: Mac): DhcpSite => {
  const node = nodeOf('node01', [card], { ip: ip('10.0.0.51'), network: 'rack' });
  const others = [...site.nodes.values()].filter(({ name }) => name !== 'node01');
  const nodes = [node, ...others];
  return {
    ...site,
    nodes: new Map(nodes.map((one) => [one.name, one])),
    nodeByMac: new Map(nodes.flatMap((one) => one.macs.map((each) => [each, one] as const))),
    nodeByIp: new Map([[ip('10.0.0.51'), node]]),
  };
};

function udhcpc(machine: string, ...more: string[]) {
  return start(machine, 'udhcpc', '-f', '-i', 'eth0', '-s', script, '-t', '20', '-T', '1', ...more);
}

async function bind(machine: string, address: string): Promise<void> {
  const client = udhcpc(machine, '-q');
  await until(`${machine} has ${address}`, 20, () => addressesOf(machine).includes(address), client.output);
}

describe('a network card that is replaced', () => {
  for (const probe of ['arp', 'icmp', 'off'] as const) {
    test(`has the address of its node at once where the old one is gone (probe: ${probe}), also after a restart`, async () => {
      addMachine('old', NODE_MAC);
      let site = rackSite(7200, { probe, probeMs: 300 });
      const store = memoryStore();
      const { server } = await serve(() => site, store);
      await bind('old', '10.0.0.51');
      sh('ip -n old link set eth0 down');
      site = withCard(site, NEW_CARD);
      await server.reload();
      addMachine('new', NEW_CARD);
      await bind('new', '10.0.0.51');

      await server.close();
      sh('ip -n new addr flush dev eth0');
      const NEXT_CARD = mac('52:54:00:0a:bc:08');
      site = withCard(site, NEXT_CARD);
      await serve(() => site, memoryStore(store.committed.slice(-1)));
      addMachine('next', NEXT_CARD);
      await bind('next', '10.0.0.51');
    });
  }

  test('waits while the old one answers for the address, on a pool address, and has it then', async () => {
    addMachine('old', NODE_MAC);
    let site = rackSite(7200, { probe: 'arp', probeMs: 300 });
    const { server, events } = await serve(() => site);
    await bind('old', '10.0.0.51');
    site = withCard(site, NEW_CARD);
    await server.reload();
    addMachine('new', NEW_CARD);
    await bind('new', '10.0.0.200');
    const reasons = events.flatMap((event) => (event.kind === 'dhcp.refused' ? [event.reason] : []));
    assert.match(
      reasons.join('\n'),
      /10\.0\.0\.51 is kept for it, but still in use: it was given to 52:54:00:00:00:51/,
    );
    sh('ip -n old link set eth0 down; ip -n new addr flush dev eth0');
    await bind('new', '10.0.0.51');
  });
});

describe('a machine that still has its old address', () => {
  for (const probe of ['arp', 'icmp'] as const) {
    test(`is given it again, though it answers the probe itself (${probe})`, async () => {
      addMachine('stranger', '52:54:00:00:0a:01');
      sh('ip -n stranger addr add 192.168.0.115/24 dev eth0');
      const { events } = await serve(rackSite(7200, { probe, probeMs: 300 }));
      const client = udhcpc('stranger', '-q', '-r', '192.168.0.115');
      const acks = () => events.flatMap((event) => (event.kind === 'dhcp.ack' ? [event.ip] : []));
      await until('an ACK', 20, () => acks().length > 0, client.output);
      assert.deepEqual(acks(), [ip('192.168.0.115')]);
      assert.deepEqual(
        events.filter(({ kind }) => kind === 'dhcp.refused'),
        [],
      );
    });
  }
});

test('a renamed network keeps its leases, and the address of a node is known under the new name', async () => {
  addMachine('stranger', '52:54:00:00:0a:01');
  addMachine('old', NODE_MAC);
  let site = rackSite();
  const store = memoryStore();
  const { server, events } = await serve(() => site, store);
  await bind('stranger', '192.168.0.111');
  await bind('old', '10.0.0.51');
  site = {
    ...site,
    networks: new Map([...site.networks].map(([name, network]) => [`${name}2`, { ...network, name: `${name}2` }])),
  };
  await server.reload();
  assert.equal(server.addressOf(NODE_MAC, 'rack2'), ip('10.0.0.51'));
  await until('both records', 5, () => store.committed.filter(({ network }) => network.endsWith('2')).length === 2);
  addMachine('other', '52:54:00:00:0a:02');
  await bind('other', '192.168.0.112');
  sh('ip -n stranger addr flush dev eth0');
  await bind('stranger', '192.168.0.111');

  site = { ...site, networks: new Map([...site.networks].filter(([name]) => name === 'rack2')) };
  const troubles = () => events.flatMap((event) => (event.kind === 'server.trouble' ? [serverTroubleText(event)] : []));
  await server.reload();
  await server.reload();
  assert.equal(troubles().length, 1, 'once');
  assert.match(String(troubles()[0]), /^2 leases run for addresses in no network of the site/);
});
