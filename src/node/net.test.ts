import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Vars } from '../model/node.ts';
import { ip, mac, networkFixture, nodeFixture } from '../site/testing/fixture.ts';
import type { Facts } from './inventory.ts';
import { addressesOf, type Link, type Net, resolveNet, sampleFacts } from './net.ts';
import { FULL_NET, ONE_CARD, SIMPLE_NET, SIX_CARDS, TWO_CARDS } from './testing/machineFixture.ts';

const network = networkFixture({ gateway: ip('10.0.0.1'), dns: [ip('10.0.0.9')], domain: 'rack.example.org' });
const net = (vars: object, facts: Facts | undefined = TWO_CARDS, more: object = {}) =>
  resolveNet(nodeFixture({ vars: { net: vars as Vars }, ...more }), network, facts);
const brief = ({ id, name, dhcp, addresses, master }: Link) =>
  [id, name, dhcp ? 'dhcp' : addresses.join('+') || '-', ...(master === undefined ? [] : [`in ${master}`])].join(' ');

describe('the links of a node', () => {
  test('are the boot card with DHCP, where the site says nothing', () => {
    for (const facts of [TWO_CARDS, SIX_CARDS]) {
      const { links, main } = resolveNet(nodeFixture(), network, facts);
      assert.deepEqual(links, [main]);
      assert.equal(main.mac, '52:54:00:00:00:51');
      assert.equal(main.ip, '10.0.0.51');
      assert(main.dhcp);
    }
  });

  test('first card main, second for the bridge: with two cards, and with six of which one has no cable', () => {
    assert.deepEqual(net(SIMPLE_NET, TWO_CARDS).links.map(brief), [
      'main eth0 10.0.0.51/24',
      'nic2 eth1 - in br-ex',
      'br-ex br-ex -',
    ]);
    assert.deepEqual(net(SIMPLE_NET, SIX_CARDS).links.map(brief), [
      'main ens1f0 10.0.0.51/24',
      'nic3 eno2 - in br-ex',
      'br-ex br-ex -',
    ]);
    const listed = { macs: [mac('52:54:00:00:00:51'), mac('52:54:00:00:00:a5')] as const };
    assert.equal(
      net(SIMPLE_NET, SIX_CARDS, listed).bridges[0]?.members[0],
      'nic5',
      'the second that the site lists comes first',
    );
  });

  test('static takes gateway, name servers and search from the network', () => {
    const { gateway, dns, search } = net({ main: { address: 'static' } }).main;
    assert.deepEqual([gateway, dns, search], ['10.0.0.1', ['10.0.0.9'], ['rack.example.org']]);
  });

  test('bonds, VLANs and a bridge on one another, six cards', () => {
    const given = net(FULL_NET, SIX_CARDS);
    assert.deepEqual(given.links.map(brief), [
      'main ens1f0 10.0.0.51/24',
      'backup ens2f1 10.9.0.51/24',
      'nic4 ens1f1 - in bond0',
      'nic5 ens2f0 - in bond0',
      'bond0 bond0 - in br-provider',
      'br-provider br-provider -',
      'storage storage 10.1.20.51/24',
      'mgmt mgmt 10.2.0.51/16+10.3.0.51/16',
    ]);
    assert.deepEqual(
      given.vlans.map(({ vlan, on, ip }) => [vlan, on, ip]),
      [
        [120, 'bond0', '10.1.20.51'],
        [5, 'main', '10.2.0.51'],
      ],
    );
    assert.equal(given.link.bond0?.mtu, 9000);
  });

  test('a boot card that becomes part of a bond leaves its address to it', () => {
    const given = net({ bonds: { bond0: { on: [1, 2], address: 'static' } } });
    assert.deepEqual(given.links.map(brief), [
      'main eth0 - in bond0',
      'nic2 eth1 - in bond0',
      'bond0 bond0 10.0.0.51/24',
    ]);
    const silent = net({ bonds: { bond0: { on: [1, 2] } }, bridge: { on: 'bond0' } });
    assert.equal(silent.main.id, 'br-provider');
    assert(silent.main.dhcp, 'a node is not left without an address');
    assert.equal(silent.main.ip, '10.0.0.51');
    assert.equal(given.main.id, 'bond0');
    assert.equal(given.main.ip, '10.0.0.51');
  });

  test('what cannot be says which variable to change', () => {
    const cases: readonly (readonly [object, RegExp])[] = [
      [{ main: { adress: 'dhcp' } }, /^vars\.net\.main: .*adress/],
      [{ main: { address: '10.0.0.51' } }, /^vars\.net\.main\.address: expected dhcp, static, none, or addresses/],
      [{ bonds: { b: { on: [1], mode: 'lacp' } } }, /^vars\.net\.bonds\.b\.mode: /],
      [{ bonds: { 'a b': { on: [1] } } }, /^vars\.net\.bonds/],
      [{ bonds: { b: { on: [7] } } }, /^vars\.net\.bonds\.b\.on: node01 has no card 7; it has 1 eth0, 2 eth1$/],
      [{ bonds: { b: { on: [2] } }, bridge: { on: 2 } }, /^vars\.net\.bridge\.on: nic2 is a part of b already$/],
      [
        { main: { address: 'static' }, bridge: { on: 1 } },
        /^vars\.net\.bridge\.on: main has an address of its own; give it to br-provider$/,
      ],
      [
        { nics: { a: { on: 2, address: '10.1.0.1/24' } }, bridge: { on: 'a' } },
        /^vars\.net\.bridge\.on: a has an address/,
      ],
      [{ vlans: { main: { id: 2 } } }, /^vars\.net\.vlans\.main: the name main is taken/],
      [{ vlans: { v: { id: 5000 } } }, /^vars\.net\.vlans\.v\.id: /],
      [
        { vlans: { v: { id: 5, subnet: '10.1.0.0/28' } } },
        /^vars\.net\.vlans\.v\.subnet: 10\.1\.0\.0\/28 has no host 51/,
      ],
      ['text' as unknown as object, /^vars\.net: /],
    ];
    for (const [vars, words] of cases) assert.throws(() => net(vars), { message: words }, JSON.stringify(vars));
    assert.throws(() => net({ bridge: {} }, ONE_CARD), /node01 has no second network card/);
    const { ip: _, network: __, ...drawn } = nodeFixture({ vars: { net: { main: { address: 'static' } } } });
    assert.throws(() => resolveNet(drawn, undefined, TWO_CARDS), /node01 has no ip of its own/);
  });

  test('as long as the machine has reported nothing, the cards are those that the site lists', () => {
    const node = nodeFixture({ vars: { net: { bridge: {} } } });
    assert.throws(() => resolveNet(node, network, undefined), /no second network card/);
    assert.equal(resolveNet(node, network, sampleFacts(node)).bridges.length, 1);
  });
});

test('the addresses that the site gives a node are those of its links, whatever cards it has', () => {
  const of = (vars: object, more: object = {}) =>
    addressesOf(nodeFixture({ vars: { net: vars as Vars }, ...more }), network);
  assert.deepEqual(of({}), ['10.0.0.51']);
  assert.deepEqual(
    of(FULL_NET).toSorted(),
    addressed(resolveNet(nodeFixture({ vars: { net: FULL_NET } }), network, SIX_CARDS)),
  );
  const nics = { a: { on: 'nosuchcard', address: ['10.8.0.1/24', '10.9.0.1/24'] }, b: { on: 3, address: 'static' } };
  assert.deepEqual(of({ nics, main: { subnet: '10.7.0.0/24' } }), ['10.0.0.51', '10.7.0.51', '10.8.0.1', '10.9.0.1']);
  // Invalid values are reported elsewhere.
  assert.deepEqual(of({ main: { subnet: '10.7.0.0/30' } }), ['10.0.0.51']);
  assert.deepEqual(of({ nonsense: 1 }), ['10.0.0.51']);
  assert.deepEqual(of({ main: { subnet: '10.7.0.0/24' } }, { ip: undefined }), []);
});

/** All addresses of a node's links, that which DHCP gives it among them. */
function addressed({ links }: Net): readonly string[] {
  const all = links.flatMap(({ ip, addresses }) => [
    ...(ip ? [ip] : []),
    ...addresses.map((one) => one.split('/')[0] ?? ''),
  ]);
  return [...new Set(all)].toSorted();
}
