import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Ipv4, inRange, inSubnet, netmaskOf } from './ipv4.ts';
import type { Network } from './network.ts';
import { NetworkIndex } from './networkIndex.ts';

const ip = fc.nat({ max: 0xffffffff }).map((n) => n as Ipv4);
/** Addresses near each other, so that some lie in subnets, and some subnets in others. */
const near = fc.oneof(
  ip,
  fc.nat({ max: 600 }).map((n) => (0x0a000000 + n) as Ipv4),
);

const network = fc
  .record({
    at: near,
    prefix: fc.constantFrom(0, 8, 22, 24, 26, 31, 32),
    interface: fc.option(fc.constantFrom('eth0', 'eth1'), { nil: undefined }),
    server: fc.option(near, { nil: undefined }),
    relays: fc.array(fc.tuple(near, fc.nat({ max: 3 })), { maxLength: 3 }),
  })
  .map(({ at, prefix, relays, ...rest }) => {
    const base = ((at & netmaskOf(prefix)) >>> 0) as Ipv4;
    const ranges = relays.map(([first, more]) => ({ first, last: Math.min(first + more, 0xffffffff) as Ipv4 }));
    return { ...rest, subnet: { base, prefix }, relays: ranges } as unknown as Network;
  });

test('the index finds what a look at each network finds', () => {
  fc.assert(
    fc.property(fc.array(network, { maxLength: 8 }), near, (networks, address) => {
      const index = new NetworkIndex(networks);
      assert.equal(
        index.at(address),
        networks.find(({ subnet }) => inSubnet(subnet, address)),
      );
      assert.equal(
        index.ofRelay(address),
        networks.find(({ relays }) => relays.some((range) => inRange(range, address))),
      );
      assert.deepEqual(
        index.servedBy(address),
        networks.filter(({ server }) => server === address),
      );
      for (const name of [undefined, 'eth0', 'eth9'])
        assert.deepEqual(
          index.on(name),
          networks.filter((one) => one.interface === name),
        );
      assert.equal(index.first, networks[0]);
    }),
    { numRuns: 2000 },
  );
});
