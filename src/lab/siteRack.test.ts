import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIpv4, parseRange, parseSubnet } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { Network } from '../model/network.ts';
import type { SiteNode } from '../model/node.ts';
import type { Site } from '../site/site.ts';
import { ip, mac, networkFixture, nodeFixture, siteFixture } from '../site/testing/fixture.ts';
import { DEFAULT_SHAPE, rackOfSite, uuidOf } from './siteRack.ts';

function network(changes: Partial<Network>): Network {
  const subnet = parseSubnet('10.0.0.0/24');
  assert.ok(subnet);
  return networkFixture({ name: 'rack', interface: 'br0', subnet, pools: [], dns: [], ...changes });
}

function site(networks: readonly Network[], nodes: readonly SiteNode[]): Site {
  return siteFixture({
    networks: new Map(networks.map((one) => [one.name, one])),
    nodes: new Map(nodes.map((one) => [one.name, one])),
    nodeByIp: new Map(nodes.flatMap((one) => (one.ip === undefined ? [] : [[one.ip, one] as const]))),
  });
}

const node01 = nodeFixture({ name: 'node01', macs: [mac('52:54:00:00:00:51')], ip: ip('10.0.0.51'), network: 'rack' });

test('networks on one interface share a bridge, which has the server`s address in each', () => {
  const subnet = parseSubnet('192.168.0.0/24');
  assert.ok(subnet);
  const lan = network({ name: 'lan', subnet, server: ip('192.168.0.9') });
  const rack = rackOfSite(site([network({ server: ip('10.0.0.2') }), lan], [node01]));
  assert.deepEqual(rack.bridges, [
    {
      name: 'br0',
      addresses: [
        { ip: ip('10.0.0.2'), prefix: 24 },
        { ip: ip('192.168.0.9'), prefix: 24 },
      ],
    },
  ]);
});

test('a server without a declared address gets the first that nothing claims', () => {
  const range = parseRange('10.0.0.3-10.0.0.50');
  assert.ok(range);
  const { server: _, ...undeclared } = network({
    gateway: ip('10.0.0.1'),
    dns: [ip('10.0.0.2')],
    pools: [{ range, allow: ['any'], deny: [], options: new Map() }],
  });
  const [bridge] = rackOfSite(site([undeclared], [node01])).bridges;
  assert.deepEqual(
    bridge?.addresses.map((address) => formatIpv4(address.ip)),
    ['10.0.0.52'],
  );
});

test('a node without an image is no machine, and a rack without machines is refused', () => {
  const { image: _, ...desktop } = nodeFixture({ name: 'desktop', macs: [mac('52:54:00:00:01:00')], network: 'rack' });
  const both = rackOfSite(site([network({})], [node01, desktop]));
  assert.deepEqual(
    both.machines.map(({ name }) => name),
    ['node01'],
  );
  assert.throws(() => rackOfSite(site([network({})], [desktop])), { code: 'LAB_FAILED' });
});

test('a node behind a relay is refused by name', () => {
  const { interface: _, ...far } = network({ name: 'rack' });
  assert.throws(() => rackOfSite(site([far], [node01])), { code: 'LAB_FAILED', message: /node01/ });
});

test('made-up cards follow the declared ones, differ from each other and stay the same', () => {
  const shape = { ...DEFAULT_SHAPE, nics: 6 };
  const cards = () => rackOfSite(site([network({})], [node01]), shape).machines[0]?.nics.map((nic) => nic.mac) ?? [];
  assert.equal(cards()[0], '52:54:00:00:00:51');
  assert.equal(new Set(cards()).size, 6);
  assert.deepEqual(cards(), cards());
});

test('every MAC address has a UUID of version 4 of its own', () => {
  const macs = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 6, maxLength: 6 });
  fc.assert(
    fc.property(macs, macs, (one, other) => {
      const [a, b] = [one, other].map((bytes) => bytes.map((n) => n.toString(16).padStart(2, '0')).join(':') as Mac);
      assert.ok(a !== undefined && b !== undefined);
      assert.match(uuidOf(a), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.equal(uuidOf(a) === uuidOf(b), a === b);
    }),
  );
});
