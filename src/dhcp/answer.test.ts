import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import type { BootAnswer } from '../boot/client.ts';
import { type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import { OPTION } from '../model/options.ts';
import { ip, nodeOf } from '../site/testing/fixture.ts';
import { Admission } from './admission.ts';
import { answer } from './answer.ts';
import { LeaseBook } from './book.ts';
import { receivedEvents } from './events.ts';
import { type Exchange, exchangeOf } from './exchange.ts';
import { read } from './optionSet.ts';
import { type DhcpPacket, MESSAGE } from './packet.ts';
import type { Plan } from './plan.ts';
import type { DhcpSite } from './site.ts';
import { machine, networkOf, requestOf, type Said, say, siteOf } from './testing/fixture.ts';
import type { View } from './view.ts';

const T0 = 1_800_000_000_000;
const [NODE, STRANGER, OTHER] = [machine(0x51), machine(0xa1), machine(0xa2)];
const rack = networkOf('rack', '10.0.0.0/24', [['10.0.0.100-10.0.0.110', 'any']]);
const far = networkOf('far', '10.7.0.0/24', [['10.7.0.10-10.7.0.20', 'any']], { interface: 'br7' });
const node = nodeOf('node01', [NODE, machine(0x52)], { ip: ip('10.0.0.51'), network: 'rack', image: 'bookworm' });
const plain = siteOf([rack, far], [node]);
const site: DhcpSite = { ...plain, dhcp: { ...plain.dhcp, probe: 'arp', probeMs: 250 } };
const script: BootAnswer = {
  kind: 'boot',
  bootFile: 'snponly.efi',
  method: 'efi-ipxe',
  reason: { code: 'loader', firmware: 'efi-x64', choice: 'auto' },
};
const pxe = say(OPTION.vendorClass, 'PXEClient:Arch:00007:UNDI:003016');
const wants = (address: string): Said => say(OPTION.requestedAddress, ip(address));
const ours = say(OPTION.serverId, ip('10.0.0.2'));

let book: LeaseBook;
let admission: Admission;

beforeEach(() => {
  book = new LeaseBook();
  book.configure(site);
  admission = new Admission();
  admission.configure(site);
});

const viewNow = (): View => ({
  book,
  admission,
  boot: (_, who) => (who ? script : { kind: 'none', reason: { code: 'not-listed' } }),
  hasRecords: true,
  now: T0,
});

function asks(
  type: keyof typeof MESSAGE,
  who: Mac,
  said: readonly Said[] = [],
  fields: Partial<DhcpPacket> = {},
  sender = { ip: fields.ciaddr ?? UNSPECIFIED, port: 68 },
  name = 'br0',
): Exchange {
  return exchangeOf(requestOf(type, who, said, fields), sender, name, site);
}

const lent = (who: Mac, address: string): Lease => ({
  ip: ip(address),
  mac: who,
  network: 'rack',
  state: 'bound',
  start: T0 - 1000,
  expires: T0 + 1000,
});

function planOf<K extends Plan['kind']>(kind: K, exchange: Exchange): Extract<Plan, { readonly kind: K }> {
  const plan = answer(exchange, viewNow());
  assert.equal(plan.kind, kind);
  return plan as Extract<Plan, { readonly kind: K }>;
}

const typeOf = ({ options }: DhcpPacket) => read(options, OPTION.messageType);

describe('the plan of an answer', () => {
  test('a node that boots: offered its address with its boot file, sent to its Ethernet address, unprobed', () => {
    const { reply, event, probe, boot } = planOf('offer', asks('discover', NODE, [pxe]));
    assert.equal(boot, script);
    assert.equal(probe, undefined);
    assert.deepEqual(
      [typeOf(reply.packet), reply.packet.yiaddr, reply.packet.file],
      [MESSAGE.offer, ip('10.0.0.51'), 'snponly.efi'],
    );
    assert.deepEqual(reply.to, { kind: 'frame', ip: ip('10.0.0.51'), mac: NODE, port: 68 });
    assert.deepEqual(event, {
      kind: 'dhcp.offer',
      mac: NODE,
      stage: 'firmware',
      via: 'br0',
      ip: ip('10.0.0.51'),
      network: 'rack',
      bootFile: 'snponly.efi',
    });
  });

  test('who does not ask to boot is not asked what it boots', () => {
    const plan = answer(asks('discover', NODE), { ...viewNow(), boot: () => assert.fail('asked') });
    assert.ok(plan.kind === 'offer');
    assert.deepEqual(plan.boot, { kind: 'none', reason: { code: 'not-asked' } });
    assert.equal('reason' in plan.event, false);
  });

  test('a new address of a pool is probed, where the client’s own answer does not count', () => {
    const question = { ip: ip('10.0.0.100'), from: ip('10.0.0.2'), waitMs: 250 };
    assert.deepEqual(planOf('offer', asks('discover', STRANGER)).probe, { ...question, own: [STRANGER] });
    book.put({ ...lent(OTHER, '10.0.0.51'), reserved: false });
    const { probe, heldBy } = planOf('offer', asks('discover', NODE));
    assert.deepEqual(probe, { ...question, ip: ip('10.0.0.51'), own: node.macs });
    assert.equal(heldBy?.mac, OTHER);
    const relayed = asks('discover', STRANGER, [], { giaddr: ip('10.0.0.1') });
    assert.equal(planOf('offer', relayed).probe, undefined, 'ARP does not pass relays');
    const through = { ...site, dhcp: { ...site.dhcp, probe: 'icmp' as const } };
    const pinged = answer(exchangeOf(relayed.request, relayed.sender, 'br0', through), viewNow());
    assert.deepEqual(pinged.kind === 'offer' && pinged.probe?.own, [], 'the relay answers for the client');
  });

  test('a lease comes with its reply and its event', () => {
    const { lease, reply, event, needsRecord } = planOf('ack', asks('request', STRANGER, [wants('10.0.0.100'), ours]));
    assert.deepEqual(
      [lease.ip, lease.mac, lease.expires, needsRecord],
      [ip('10.0.0.100'), STRANGER, T0 + 7_200_000, true],
    );
    assert.deepEqual([typeOf(reply.packet), reply.packet.yiaddr], [MESSAGE.ack, lease.ip]);
    assert.partialDeepStrictEqual(event, { kind: 'dhcp.ack', ip: lease.ip, network: 'rack' });
  });

  test('an INFORM is answered with options to where it came from', () => {
    const { reply, event } = planOf('inform', asks('inform', STRANGER, [], { ciaddr: ip('10.0.0.77') }));
    assert.equal(reply.packet.yiaddr, UNSPECIFIED);
    assert.deepEqual(reply.to, { kind: 'frame', ip: ip('10.0.0.77'), mac: STRANGER, port: 68 });
    assert.partialDeepStrictEqual(event, { kind: 'dhcp.ack', informs: true, ip: ip('10.0.0.77') });
  });

  test('a client of BOOTP is answered without a lease', () => {
    const request = { ...requestOf('discover', NODE), options: new Map() };
    const { reply, event } = planOf('bootp', exchangeOf(request, { ip: UNSPECIFIED, port: 1068 }, 'br0', site));
    assert.equal(typeOf(reply.packet), undefined);
    assert.partialDeepStrictEqual(event, { kind: 'dhcp.ack', bootp: true, unprivileged: true });
  });

  test('a NAK says why, in words to the client, goes to everybody, and ends the lease', () => {
    book.put({ ...lent(STRANGER, '10.0.0.51') });
    const { reply, event, lease } = planOf('nak', asks('request', STRANGER, [], { ciaddr: ip('10.0.0.51') }));
    assert.deepEqual([lease?.ip, lease?.state, lease?.expires], [ip('10.0.0.51'), 'released', T0]);
    assert.equal(typeOf(reply.packet), MESSAGE.nak);
    assert.equal(read(reply.packet.options, OPTION.message), 'no pool with this address is open to it');
    assert.partialDeepStrictEqual(reply.to, { kind: 'frame', ip: 0xffffffff });
    assert.partialDeepStrictEqual(event, {
      kind: 'dhcp.nak',
      code: 'address-pool-closed',
      reason: 'no pool with this address is open to it',
      requested: ip('10.0.0.51'),
      network: 'rack',
    });
  });

  test('the end of a lease is an event with the name that the lease has', () => {
    book.put({ ...lent(STRANGER, '10.0.0.100'), hostname: 'desk' });
    const released = planOf('change', asks('release', STRANGER, [], { ciaddr: ip('10.0.0.100') }));
    assert.partialDeepStrictEqual(released.event, { kind: 'dhcp.release', hostname: 'desk', code: 'released' });
    const refused = planOf('change', asks('decline', STRANGER, [wants('10.0.0.100')]));
    assert.partialDeepStrictEqual(refused.event, { kind: 'dhcp.decline', code: 'declined', ip: ip('10.0.0.100') });
  });

  test('another server, and no answer, are events', () => {
    const taken = asks('request', STRANGER, [wants('10.0.0.100'), say(OPTION.serverId, ip('10.0.0.77'))]);
    assert.deepEqual(planOf('other-server', taken).event, {
      kind: 'dhcp.other-server',
      mac: STRANGER,
      server: ip('10.0.0.77'),
      network: 'rack',
    });
    assert.deepEqual(planOf('silence', asks('release', STRANGER)).event, {
      kind: 'dhcp.refused',
      mac: STRANGER,
      via: 'br0',
      code: 'release-not-held',
      reason: 'a RELEASE of an address that it does not hold',
    });
  });
});

describe('an answer changes nothing', () => {
  const exchanges: [string, () => Exchange][] = [
    ['a node asks', () => asks('discover', NODE, [pxe])],
    ['a stranger asks', () => asks('discover', STRANGER)],
    ['and asks for an address', () => asks('discover', STRANGER, [wants('10.0.0.105')])],
    ['and takes it', () => asks('request', STRANGER, [wants('10.0.0.105'), ours])],
    ['and renews it', () => asks('request', STRANGER, [], { ciaddr: ip('10.0.0.105') })],
    ['and comes back', () => asks('request', STRANGER, [wants('10.0.0.105')])],
    ['one gives back what it has', () => asks('release', OTHER, [], { ciaddr: ip('10.0.0.101') })],
    ['or declines it', () => asks('decline', OTHER, [wants('10.0.0.101')])],
    [
      'or takes another server’s',
      () => asks('request', OTHER, [wants('10.0.0.9'), say(OPTION.serverId, ip('10.0.0.9'))]),
    ],
    ['a node renews what another has', () => asks('request', NODE, [], { ciaddr: ip('10.0.0.101') })],
    ['on another wire', () => asks('discover', NODE, [], {}, undefined, 'br7')],
    ['one informs', () => asks('inform', OTHER, [], { ciaddr: ip('10.0.0.101') })],
  ];
  for (const [what, exchange] of exchanges) {
    test(what, () => {
      book.put(lent(OTHER, '10.0.0.101'));
      book.offer('rack', machine(0xa3), ip('10.0.0.102'), T0);
      // Expired, and not taken back yet.
      book.put({ ...lent(machine(0xa4), '10.0.0.103'), expires: T0 - 1 });
      const before = [...book.leases()];
      const asked = exchange();
      const plan = answer(asked, viewNow());
      for (let n = 0; n < 50; n++) {
        const other = asks('discover', machine(0x200 + n));
        answer(other, viewNow());
        receivedEvents(other, viewNow());
      }
      assert.deepEqual(answer(asked, viewNow()), plan);
      assert.deepEqual([...book.leases()], before);
      assert.equal(book.offerAt(ip('10.0.0.102'))?.mac, machine(0xa3));
      const offered = [100, 101, 103, 104, 105, 106].map((n) => book.offerAt((ip('10.0.0.0') + n) as Ipv4));
      assert.deepEqual(
        offered,
        offered.map(() => undefined),
      );
    });
  }
});

describe('what is reported of a request before it is answered', () => {
  const received = (exchange: Exchange) => receivedEvents(exchange, viewNow());

  test('of a node: who, what it asks for, and which server it takes', () => {
    const exchange = asks('request', NODE, [wants('10.0.0.51'), ours, say(OPTION.hostname, 'n1')]);
    assert.deepEqual(received(exchange), [
      {
        kind: 'dhcp.request',
        mac: NODE,
        stage: 'os',
        via: 'br0',
        hostname: 'n1',
        requested: ip('10.0.0.51'),
        chosen: ip('10.0.0.2'),
      },
    ]);
  });

  test('of a stranger: what it says of itself', () => {
    assert.partialDeepStrictEqual(received(asks('discover', STRANGER, [pxe])), [
      { kind: 'dhcp.discover', machine: { vendorClass: 'PXEClient:Arch:00007:UNDI:003016', firmware: 'bios' } },
    ]);
  });

  test('of a node on a wire that is not its own: that first', () => {
    const events = received(asks('discover', NODE, [], {}, undefined, 'br7'));
    assert.deepEqual(events[0], {
      kind: 'dhcp.wrong-network',
      mac: NODE,
      network: 'far',
      expected: 'rack',
      via: 'br7',
    });
    assert.partialDeepStrictEqual(events[1], { kind: 'dhcp.discover', wrongNetwork: true });
  });

  test('what an ordinary user of a machine could have sent', () => {
    const from = (port: number, address = UNSPECIFIED, said: Said[] = [], giaddr = UNSPECIFIED) => {
      const [event] = received(asks('discover', NODE, said, { giaddr }, { ip: address, port }));
      return event?.kind === 'dhcp.discover' && event.unprivileged === true;
    };
    const ownPort: Said = [82, Uint8Array.of(19, 0)];
    assert.equal(from(68), false);
    assert.equal(from(1068), true);
    assert.equal(from(1068, ip('10.0.0.9'), [ownPort], ip('10.0.0.9')), false, 'a relay with a port of its own');
    assert.equal(from(1068, ip('10.0.0.51'), [ownPort], ip('10.0.0.51')), true, 'a node is no relay');
    book.put(lent(NODE, '10.0.0.104'));
    assert.equal(
      from(1068, ip('10.0.0.104'), [ownPort], ip('10.0.0.104')),
      true,
      'nor is one with an address of a pool',
    );
  });

  test('of messages that only end leases: nothing', () => {
    for (const type of ['release', 'decline', 'ack'] as const) assert.deepEqual(received(asks(type, STRANGER)), []);
  });
});
