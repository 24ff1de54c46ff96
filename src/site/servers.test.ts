import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Network } from '../model/network.ts';
import { serverFor, withServers } from './servers.ts';
import { ip, networkFixture, siteFixture } from './testing/fixture.ts';

const ADDRESSES = new Map([
  [
    'eth0',
    [
      { ip: ip('203.0.113.9'), prefix: 24 },
      { ip: ip('10.0.0.9'), prefix: 24 },
    ],
  ],
  [
    'br0',
    [
      { ip: ip('192.168.0.2'), prefix: 24 },
      { ip: ip('10.0.0.7'), prefix: 24 },
    ],
  ],
]);

function undeclared(changes: Partial<Network> = {}): Network {
  const { server: _, ...network } = networkFixture(changes);
  return network;
}

describe("the server's address", () => {
  it('is the declared one', () => assert.equal(serverFor(networkFixture(), ADDRESSES, []), ip('10.0.0.2')));

  it('else the one that the interface has in the subnet', () =>
    assert.equal(serverFor(undeclared(), ADDRESSES, []), ip('10.0.0.7')));

  it('is not that of another interface', () =>
    assert.equal(serverFor(undeclared({ interface: 'br1' }), ADDRESSES, []), undefined));

  it('or else that of another subnet on the same wire', () => {
    const lan = undeclared({ name: 'lan', subnet: { base: ip('172.16.0.0'), prefix: 24 } });
    assert.equal(serverFor(lan, ADDRESSES, [lan, undeclared()]), ip('10.0.0.7'));
    assert.equal(serverFor(lan, ADDRESSES, [lan, networkFixture()]), ip('10.0.0.2'));
    assert.equal(serverFor(lan, ADDRESSES, [lan, undeclared({ interface: 'eth0' })]), undefined);
  });

  it('is that of any interface where only relays reach the network', () => {
    const { interface: _, ...relayed } = undeclared();
    assert.equal(serverFor(relayed, ADDRESSES, []), ip('10.0.0.9'));
  });

  it('or else that of the first wire that is served', () => {
    const { interface: _, ...relayed } = undeclared({ subnet: { base: ip('10.7.0.0'), prefix: 24 } });
    const networks = [relayed, undeclared({ interface: 'br1' }), undeclared()];
    assert.equal(serverFor(relayed, ADDRESSES, networks), ip('10.0.0.7'));
    assert.equal(serverFor(relayed, ADDRESSES, [relayed]), undefined);
  });

  it('is filled in for each network of a site', () => {
    const site = siteFixture({
      networks: new Map([
        ['a', undeclared({ name: 'a' })],
        ['b', undeclared({ name: 'b', interface: 'br1' })],
      ]),
    });
    const filled = withServers(site, ADDRESSES);
    assert.equal(filled.networks.get('a')?.server, ip('10.0.0.7'));
    assert.equal('server' in (filled.networks.get('b') ?? {}), false);
    assert.equal('server' in (site.networks.get('a') ?? {}), false, 'the site itself stays as it is');
  });
});
