import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseSubnet } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import { ip, mac, networkFixture, nodeFixture, nodeOf, siteFixture } from '../site/testing/fixture.ts';
import { type CallerFrom, callerOf } from './nodeCaller.ts';

const subnet = (text: string) => parseSubnet(text) ?? assert.fail(text);
const MAC = mac('52:54:00:00:00:51');
const FREE = mac('52:54:00:00:00:52');
const RELAYED = mac('52:54:00:00:00:53');

/** Two wires and a network behind a relay; node01 has an address of its own on the first, `free` leases, `far` is behind the relay. */
const fixed = nodeFixture();
const free = nodeOf('free', [FREE]);
const far = nodeOf('far', [RELAYED], { ip: ip('10.5.0.7'), network: 'behind' });
const { interface: _, server: __, ...noInterface } = networkFixture();
const site = siteFixture({
  networks: new Map([
    ['openstack', networkFixture()],
    [
      'guests',
      networkFixture({ name: 'guests', interface: 'br1', subnet: subnet('10.9.0.0/24'), server: ip('10.9.0.2') }),
    ],
    ['behind', { ...noInterface, name: 'behind', subnet: subnet('10.5.0.0/24') }],
  ]),
  nodeByMac: new Map([fixed, free, far].map((node) => [node.macs[0], node])),
});
const from: CallerFrom = {
  site: () => site,
  addressOf: () => undefined,
  addressesOn: (name) => (name === 'br0' ? [ip('10.0.0.2'), ip('192.168.7.1')] : []),
};

describe('a request', () => {
  const leases = (leased: string): CallerFrom => ({ ...from, addressOf: () => ip(leased) });
  const rows: readonly (readonly [string, CallerFrom, Mac, string, string, string])[] = [
    ['from the node’s address is the node’s', from, MAC, '10.0.0.51', '10.0.0.2', 'node01'],
    ['through another address of its interface too', from, MAC, '10.0.0.51', '192.168.7.1', 'node01'],
    ['through another network’s interface is not', from, MAC, '10.0.0.51', '10.9.0.2', 'IDENTITY_REFUSED'],
    ['from another address of its network is not', from, MAC, '10.0.0.52', '10.0.0.2', 'IDENTITY_REFUSED'],
    ['from a lease in another network is not', leases('10.9.0.77'), MAC, '10.9.0.77', '10.9.0.2', 'IDENTITY_REFUSED'],
    [
      'from a lease in its own is not, where it has an address',
      leases('10.0.0.99'),
      MAC,
      '10.0.0.99',
      '10.0.0.2',
      'IDENTITY_REFUSED',
    ],
    ['of a node without one, from its lease, is its', leases('10.0.0.99'), FREE, '10.0.0.99', '10.0.0.2', 'free'],
    [
      'of one from its lease through another interface is not',
      leases('10.0.0.99'),
      FREE,
      '10.0.0.99',
      '10.9.0.2',
      'IDENTITY_REFUSED',
    ],
    ['of one without a lease is not', from, FREE, '10.0.0.99', '10.0.0.2', 'IDENTITY_REFUSED'],
    ['of a node behind a relay comes through any interface', from, RELAYED, '10.5.0.7', '10.9.0.2', 'far'],
    ['in its name from a wire of the server is not its', from, RELAYED, '10.9.0.7', '10.9.0.2', 'IDENTITY_REFUSED'],
    ['over IPv6 is of no node', from, MAC, '0.0.0.0', '0.0.0.0', 'IDENTITY_REFUSED'],
    ['of an unknown machine is refused', from, mac('52:54:00:00:00:99'), '10.0.0.51', '10.0.0.2', 'NODE_UNKNOWN'],
  ];
  for (const [what, given, asked, peer, local, expected] of rows) {
    it(what, () => {
      const ask = () => callerOf({ mac: asked, ip: ip(peer), localIp: ip(local) }, given);
      if (/^[A-Z_]+$/.test(expected)) assert.throws(ask, { code: expected });
      else assert.equal(ask().node.name, expected);
    });
  }

  it('asks for the lease in the node’s own network', () => {
    const asked: unknown[] = [];
    const addressOf: CallerFrom['addressOf'] = (one, network) => {
      asked.push([one, network]);
      return ip('10.0.0.99');
    };
    callerOf({ mac: FREE, ip: ip('10.0.0.99'), localIp: ip('10.0.0.2') }, { ...from, addressOf });
    assert.deepEqual(asked, [[FREE, undefined]]);
  });
});
