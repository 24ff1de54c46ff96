import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Happening } from '../model/event.ts';
import { formatIpv4, type Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import { OPTION } from '../model/options.ts';
import { ip, nodeOf } from '../site/testing/fixture.ts';
import { read } from './optionSet.ts';
import { type DhcpPacket, MESSAGE } from './packet.ts';
import { PATIENCE_MS } from './records.ts';
import type { DhcpOptions } from './server.ts';
import type { DhcpSite } from './site.ts';
import { type FakePort, type FakeServer, FakeStore, serveFakes } from './testing/fakes.ts';
import { machine, networkOf, requestOf, type Said, say, siteOf } from './testing/fixture.ts';

/** The server on ports without sockets: what it sends, keeps and reports. */

const [NODE, STRANGER, OTHER] = [machine(0x51), machine(0xa1), machine(0xa2)];
const rack = networkOf('rack', '10.0.0.0/24', [['10.0.0.100-10.0.0.102', 'any']]);
const far = networkOf('far', '10.7.0.0/24', [['10.7.0.10-10.7.0.20', 'any']], { interface: 'br7' });
const node = nodeOf('node01', [NODE], { ip: ip('10.0.0.51'), network: 'rack' });
const plain = siteOf([rack, far], [node]);
const probing: DhcpSite = { ...plain, dhcp: { ...plain.dhcp, probe: 'arp' } };

let served: FakeServer;
let store: FakeStore;
let br0: FakePort;

beforeEach(async () => {
  store = new FakeStore();
  await serve();
});
afterEach(async () => {
  store.wake();
  await served.server.close();
});

async function serve(site: DhcpSite | (() => DhcpSite) = plain, more: Partial<DhcpOptions> = {}): Promise<void> {
  await served?.server.close();
  served = await serveFakes({ site: typeof site === 'function' ? site : () => site, store, ...more });
  br0 = served.ports.get('br0') ?? assert.fail('br0 is not listened on');
}

const turns = async (n = 20): Promise<void> => {
  for (let i = 0; i < n; i++) await turn();
};
const wants = (address: string): Said => say(OPTION.requestedAddress, ip(address));
const ours = say(OPTION.serverId, ip('10.0.0.2'));
const discover = (who: Mac, said: Said[] = [], fields: Partial<DhcpPacket> = {}) =>
  requestOf('discover', who, said, fields);
const takes = (who: Mac, address: string) => requestOf('request', who, [wants(address), ours]);

/** `offer 10.0.0.100`: the replies since the last call. */
function sent(port = br0): string[] {
  const names = Object.fromEntries(Object.entries(MESSAGE).map(([name, type]) => [type, name]));
  return port
    .takeSent()
    .map(({ packet }) => `${names[read(packet.options, OPTION.messageType) ?? 0]} ${formatIpv4(packet.yiaddr)}`);
}

const kinds = () => served.events.splice(0).map((event) => event.kind.replace('dhcp.', ''));
const ofKind = <K extends Happening['kind']>(kind: K) =>
  served.events.filter((event): event is Extract<Happening, { kind: K }> => event.kind === kind);
const codes = () => ofKind('dhcp.refused').map(({ code }) => code);

/** A machine asks for an address and takes it. */
async function lease(who: Mac): Promise<string | undefined> {
  br0.receive(discover(who));
  const offered = br0.takeSent().at(-1)?.packet.yiaddr;
  if (offered === undefined) return undefined;
  br0.receive(takes(who, formatIpv4(offered)));
  await turns();
  return sent().at(-1);
}

describe('DISCOVER to ACK', () => {
  test('is four messages, the lease on disk before the last', async () => {
    store.state = 'hangs';
    br0.receive(discover(STRANGER));
    assert.deepEqual(sent(), ['offer 10.0.0.100']);
    br0.receive(takes(STRANGER, '10.0.0.100'));
    await turns();
    assert.deepEqual(sent(), [], 'the disk has not taken the lease');
    store.wake();
    await turns();
    assert.deepEqual(sent(), ['ack 10.0.0.100']);
    assert.deepEqual(
      store.committed.map(({ ip: address, mac }) => [address, mac]),
      [[ip('10.0.0.100'), STRANGER]],
    );
    assert.deepEqual(kinds(), ['discover', 'offer', 'request', 'ack']);
    assert.equal(served.server.addressOf(STRANGER, 'rack'), ip('10.0.0.100'));
    assert.equal(served.server.holderOf(ip('10.0.0.100')), STRANGER);
    const { requests, offer, ack, unread, leases } = served.server.gauges();
    assert.deepEqual({ requests, offer, ack, unread, leases }, { requests: 2, offer: 1, ack: 1, unread: 0, leases: 1 });
  });

  test('ends without an answer, and a code, where the disk does not take a stranger’s lease', async () => {
    store.state = 'full';
    br0.receive(discover(STRANGER));
    br0.receive(takes(STRANGER, '10.0.0.100'));
    await turns();
    assert.deepEqual(sent(), ['offer 10.0.0.100']);
    assert.deepEqual(codes(), ['lease-unsaved']);
    assert.equal(served.server.addressOf(STRANGER, 'rack'), undefined);
  });

  test('of a node with an address of its own waits for a disk that hangs no longer than it must', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    store.state = 'hangs';
    br0.receive(takes(NODE, '10.0.0.51'));
    await turns();
    assert.deepEqual(sent(), []);
    t.mock.timers.tick(PATIENCE_MS);
    assert.deepEqual(sent(), ['ack 10.0.0.51']);
    t.mock.timers.reset();
  });

  test('behind a relay goes through the relay, to the port that the relay has', async () => {
    const fields = { giaddr: ip('10.0.0.9') };
    br0.receive(discover(STRANGER, [[82, Uint8Array.of(19, 0)]], fields), { ip: ip('10.0.0.9'), port: 1067 });
    assert.deepEqual(br0.takeSent()[0]?.to, { kind: 'datagram', ip: ip('10.0.0.9'), port: 1067 });
  });

  test('of another server’s client frees what it was offered', () => {
    br0.receive(discover(STRANGER));
    br0.receive(requestOf('request', STRANGER, [wants('10.0.0.100'), say(OPTION.serverId, ip('10.0.0.66'))]));
    assert.deepEqual(kinds(), ['discover', 'offer', 'request', 'other-server']);
    for (let n = 0; n < 4; n++) br0.receive(discover(machine(0xb0 + n)));
    assert.deepEqual(
      sent().slice(1),
      ['offer 10.0.0.101', 'offer 10.0.0.102', 'offer 10.0.0.100'],
      'what was never used comes first, and then what was given back',
    );
    assert.deepEqual(codes(), ['pools-used-up']);
  });
});

describe('a probe', () => {
  beforeEach(() => serve(probing));

  test('comes before the offer, and a client that asks meanwhile is not asked for again', async () => {
    br0.holdProbes = true;
    for (let n = 0; n < 3; n++) br0.receive(discover(STRANGER));
    br0.receive(discover(OTHER));
    assert.deepEqual(
      br0.probed.map(({ ip: address, own }) => [formatIpv4(address), own]),
      [
        ['10.0.0.100', [STRANGER]],
        ['10.0.0.101', [OTHER]],
      ],
      'what is being tried for one is not offered to another',
    );
    assert.deepEqual(sent(), []);
    br0.endProbes();
    await turns();
    assert.deepEqual(sent(), ['offer 10.0.0.100', 'offer 10.0.0.101']);
    br0.receive(discover(STRANGER));
    assert.deepEqual(sent(), ['offer 10.0.0.100'], 'what it was offered is not tried again');
  });

  test('that is answered sets the address aside, and the next is tried', async () => {
    br0.inUse.add(ip('10.0.0.100'));
    br0.receive(discover(STRANGER));
    await turns();
    assert.deepEqual(sent(), ['offer 10.0.0.101']);
    assert.deepEqual(codes(), ['free-address-in-use']);
    assert.deepEqual(
      store.committed.map(({ ip: address, state }) => [address, state]),
      [[ip('10.0.0.100'), 'declined']],
    );
  });

  test('is sent for three addresses at most', async () => {
    for (const last of [100, 101, 102]) br0.inUse.add((ip('10.0.0.0') + last) as Ipv4);
    br0.receive(discover(STRANGER));
    await turns();
    assert.deepEqual(sent(), []);
    assert.equal(br0.probed.length, 3);
  });

  test('of a node’s own address that another machine still uses leaves the node one of the pool', async () => {
    const held: Lease = {
      ip: ip('10.0.0.51'),
      mac: OTHER,
      network: 'rack',
      state: 'bound',
      start: Date.now() - 1000,
      expires: Date.now() + 3_600_000,
    };
    store = new FakeStore([held]);
    await serve(probing);
    br0.inUse.add(ip('10.0.0.51'));
    br0.receive(discover(NODE));
    await turns();
    assert.deepEqual(sent(), ['offer 10.0.0.100']);
    assert.deepEqual(codes(), ['own-address-in-use']);
    br0.inUse.clear();
    br0.receive(discover(NODE));
    await turns();
    assert.deepEqual(sent(), ['offer 10.0.0.51']);
  });

  test('of strangers leaves probes for nodes', async () => {
    const wide = networkOf('rack', '10.0.0.0/16', [['10.0.1.0-10.0.3.255', 'any']]);
    const site = siteOf([wide], [nodeOf('node02', [machine(0x52)])]);
    await serve({ ...site, dhcp: { ...site.dhcp, probe: 'arp', strangersPerSecond: 10_000 } });
    br0.holdProbes = true;
    for (let n = 0; n < 200; n++) br0.receive(discover(machine(0x1000 + n)));
    assert.equal(br0.probed.length, 192);
    assert.deepEqual(new Set(codes()), new Set(['probes-busy']));
    br0.receive(discover(machine(0x52)));
    assert.equal(br0.probed.length, 193);
    br0.endProbes();
    await turns();
    assert.equal(sent().length, 193);
  });

  test('that ends after the site has changed is followed by what the site is then', async () => {
    let site = probing;
    await serve(() => site);
    br0.holdProbes = true;
    br0.inUse.add(ip('10.0.0.100'));
    br0.receive(discover(STRANGER));
    const closed = siteOf([networkOf('rack', '10.0.0.0/24', [['10.0.0.100-10.0.0.102', 'known']])], [node]);
    site = { ...closed, dhcp: probing.dhcp };
    await served.server.reload();
    br0.endProbes();
    await turns();
    assert.deepEqual(sent(), []);
    assert.deepEqual(codes(), ['free-address-in-use', 'pools-closed']);
  });
});

describe('what is not given', () => {
  test('is refused with a NAK, and the lease ends', async () => {
    await lease(STRANGER);
    await serve(siteOf([networkOf('rack', '10.0.0.0/24', [['10.0.0.100-10.0.0.102', 'known']])], [node]));
    br0.receive(requestOf('request', STRANGER, [], { ciaddr: ip('10.0.0.100') }));
    await turns();
    assert.deepEqual(sent(), ['nak 0.0.0.0']);
    assert.deepEqual(
      ofKind('dhcp.nak').map(({ code, reason }) => [code, reason]),
      [['address-pool-closed', 'no pool with this address is open to it']],
    );
  });

  test('is refused in silence, with a code and words', () => {
    br0.receive(requestOf('request', STRANGER));
    assert.deepEqual(ofKind('dhcp.refused'), [
      {
        kind: 'dhcp.refused',
        mac: STRANGER,
        via: 'br0',
        code: 'address-missing',
        reason: 'a REQUEST that names no address',
      },
    ]);
  });

  test('through relays that the site does not know is counted for each, and in all beyond many', () => {
    const through = (n: number, who = STRANGER) =>
      br0.receive(discover(who, [], { giaddr: (ip('172.16.0.0') + n) as Ipv4 }));
    for (let times = 0; times < 3; times++) through(1);
    through(2);
    for (let times = 0; times < 3; times++) through(1, NODE);
    assert.deepEqual(
      ofKind('dhcp.refused').map(({ mac, via, code }) => [mac, via, code]),
      [
        [STRANGER, '172.16.0.1', 'relay-unknown'],
        [STRANGER, '172.16.0.2', 'relay-unknown'],
        [NODE, '172.16.0.1', 'relay-unknown'],
      ],
    );
    assert.deepEqual(ofKind('dhcp.discover'), []);
    assert.deepEqual(sent(), []);
    for (let n = 0; n < 1000; n++) through(n);
    assert.ok(codes().length < 300, 'a made-up relay for each packet fills no log');
  });

  test('to a node on another wire is an event a minute', () => {
    const br7 = served.ports.get('br7') ?? assert.fail();
    for (let times = 0; times < 3; times++) br7.receive(discover(NODE));
    assert.deepEqual(kinds(), ['wrong-network', 'discover', 'offer', 'discover', 'offer', 'discover', 'offer']);
  });

  test('what is no request is counted, and replies are none', () => {
    for (let times = 0; times < 3; times++) br0.receiveBytes(Buffer.alloc(10));
    br0.receive({ ...requestOf('offer', STRANGER), op: 'reply' });
    assert.deepEqual(served.events, [
      { kind: 'packets.malformed', service: 'dhcp', count: 1, sample: '10 bytes are too few' },
    ]);
  });
});

describe('what a client gives back', () => {
  test('by RELEASE is free at once', async () => {
    assert.equal(await lease(STRANGER), 'ack 10.0.0.100');
    br0.receive(requestOf('release', STRANGER, [], { ciaddr: ip('10.0.0.100') }));
    await turns();
    assert.deepEqual(sent(), []);
    assert.equal(store.committed.at(-1)?.state, 'released');
    assert.partialDeepStrictEqual(served.events.at(-1), { kind: 'dhcp.release', code: 'released' });
    assert.equal(served.server.holderOf(ip('10.0.0.100')), undefined);
  });

  test('by DECLINE is set aside', async () => {
    assert.equal(await lease(STRANGER), 'ack 10.0.0.100');
    br0.receive(requestOf('decline', STRANGER, [wants('10.0.0.100')]));
    await turns();
    assert.partialDeepStrictEqual(served.events.at(-1), { kind: 'dhcp.decline', code: 'declined' });
    br0.receive(discover(STRANGER));
    assert.deepEqual(sent(), ['offer 10.0.0.101']);
  });

  test('or an operator takes, once that is on disk', async () => {
    await lease(STRANGER);
    store.state = 'hangs';
    const ended: Lease[] = [];
    const release = served.server.release(ip('10.0.0.100')).then((lease) => ended.push(lease));
    await turns();
    assert.equal(ended.length, 0);
    store.wake();
    await release;
    assert.equal(ended[0]?.state, 'released');
    assert.partialDeepStrictEqual(served.events.at(-1), { kind: 'dhcp.release', code: 'released-by-operator' });
    assert.throws(() => served.server.release(ip('10.0.0.100')), { code: 'LEASE_UNKNOWN' });
    assert.equal(await lease(OTHER), 'ack 10.0.0.101');
    store.state = 'full';
    await assert.rejects(served.server.release(ip('10.0.0.101')), {
      code: 'STATE_UNAVAILABLE',
      message: 'the lease could not be saved',
    });
  });
});

describe('a mistake', () => {
  test('in what is booted costs that client its answer, and no address', async () => {
    await serve(plain, {
      boot: (_, who) => {
        if (who) throw new Error('a mistake');
        return { kind: 'none', reason: { code: 'not-listed' } };
      },
    });
    const pxe = say(OPTION.vendorClass, 'PXEClient:Arch:00007:UNDI:003016');
    br0.receive(discover(NODE, [pxe]));
    br0.receive(requestOf('request', NODE, [wants('10.0.0.51'), ours, pxe]));
    await turns();
    assert.deepEqual(sent(), []);
    assert.equal(served.faults.length, 2);
    assert.deepEqual(kinds(), ['discover', 'request'], 'that it asked is seen');
    assert.deepEqual(store.committed, []);
    br0.receive(discover(STRANGER, [pxe]));
    assert.deepEqual(sent(), ['offer 10.0.0.100']);
  });

  test('of whoever takes the events costs nothing', async () => {
    await serve(plain, { events: () => assert.fail('a mistake') });
    assert.equal(await lease(STRANGER), 'ack 10.0.0.100');
    assert.ok(served.faults.length > 0);
  });
});

describe('what an interface does not take', () => {
  test('is left out of the reply, which is an event once for each network and option', async () => {
    const options = new Map(Array.from({ length: 5 }, (_, i) => [224 + i, new Uint8Array(200).fill(i)]));
    await serve(siteOf([{ ...rack, options }]));
    br0.most = 900;
    const asks = discover(STRANGER, [say(OPTION.maxMessageSize, 1500)]);
    for (let times = 0; times < 2; times++) br0.receive(asks);
    const [{ packet } = assert.fail('no reply')] = br0.takeSent();
    const large = [...packet.options.keys()].filter((code) => code >= 224);
    assert.ok(large.length >= 2 && large.length < 5);
    const left = ofKind('dhcp.option-left');
    assert.equal(left.length, 5 - large.length);
    assert.ok(left.every(({ network, bytes, mac }) => network === 'rack' && bytes === 900 && mac === STRANGER));
  });

  test('is counted: replies, and requests that are too many', () => {
    const to = { kind: 'datagram', ip: ip('10.0.0.9'), port: 67 } as const;
    for (const code of ['EPERM', 'EPERM', 'E_NEW']) br0.drop(to, code);
    br0.overflow();
    assert.deepEqual(served.events, [
      {
        kind: 'server.trouble',
        code: 'REPLY_UNSENT',
        message: '1 DHCP replies not sent: 10.0.0.9: a firewall on this machine forbids it',
      },
      {
        kind: 'server.trouble',
        code: 'REQUESTS_DROPPED',
        message:
          '1 DHCP requests of machines that the site does not list dropped on br0: more come than can be answered',
      },
    ]);
  });
});

describe('an edit of the site', () => {
  test('opens what is new and closes what went, and reports leases that have no place any more, once', async () => {
    let site = plain;
    await serve(() => site);
    assert.equal(await lease(STRANGER), 'ack 10.0.0.100');
    served.events.splice(0);
    site = siteOf([networkOf('other', '10.5.0.0/24', [['10.5.0.10-10.5.0.20', 'any']], { interface: 'br5' })]);
    await served.server.reload();
    assert.equal(br0.isClosed, true);
    assert.deepEqual([...served.ports.keys()], ['br0', 'br7', 'br5']);
    const misplaced = {
      kind: 'server.trouble',
      code: 'LEASES_MISPLACED',
      message: `a lease runs for addresses in no network of the site (10.0.0.100 of ${STRANGER}): they are kept, and count again with such a network`,
    } as const;
    assert.deepEqual(ofKind('server.trouble'), [misplaced]);
    await served.server.reload();
    assert.deepEqual(ofKind('server.trouble'), [misplaced]);
  });

  test('on an interface that is not there is an event, and so is a network that has no server address', async () => {
    const { server: _, ...without } = networkOf('lan', '10.6.0.0/24', [['10.6.0.10-10.6.0.20', 'any']], {
      interface: 'br6',
    });
    const site = { ...plain, networks: new Map([['lan', without]]) };
    await served.server.close();
    served = await serveFakes({ site: () => site, store });
    assert.deepEqual(served.events, [{ kind: 'network.lost', network: 'lan', interface: 'br6', lacks: 'address' }]);
    served.ports.get('br6')?.receive(discover(STRANGER));
    assert.deepEqual(codes(), ['interface-unserved']);
    assert.equal(ofKind('dhcp.discover').length, 1, 'its client is seen');
  });
});

test('what is on its way to disk at the end still gets there, and its ACK leaves', async () => {
  store.state = 'hangs';
  br0.receive(discover(STRANGER));
  br0.receive(takes(STRANGER, '10.0.0.100'));
  const closed = served.server.close();
  store.wake();
  await closed;
  assert.deepEqual(sent(), ['offer 10.0.0.100', 'ack 10.0.0.100']);
  assert.equal(store.committed.length, 1);
});
