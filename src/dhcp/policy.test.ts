import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { textPattern } from '../model/bytePattern.ts';
import { type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import type { SiteClass } from '../model/network.ts';
import { OPTION } from '../model/options.ts';
import { ip, mac, nodeOf } from '../site/testing/fixture.ts';
import { Admission } from './admission.ts';
import { LeaseBook, OFFER_MS } from './book.ts';
import { exchangeOf } from './exchange.ts';
import type { DhcpPacket } from './packet.ts';
import { BOOT_LEASE_SECONDS, DECLINED_MS, type Decision } from './policy.ts';
import type { DhcpSite } from './site.ts';
import { codeOf, decided, machine, networkOf, poolOf, requestOf, type Said, say, siteOf } from './testing/fixture.ts';
import type { ServedNetwork } from './wire.ts';

const NODE = machine(0x51);
const NODE_SECOND = machine(0x52);
const POOL_NODE = machine(0x60);
const OF_LAN = machine(0x61);
const OF_FAR = machine(0x62);
const STRANGER = machine(0xa1);
const OTHER = machine(0xa2);
const RESERVED = ip('10.0.0.51');
const SERVER = ip('10.0.0.2');
const T0 = 1_800_000_000_000;

const { interface: _, ...behind } = networkOf('behind', '10.8.0.0/24', [['10.8.0.10-10.8.0.20', 'any']], {
  server: SERVER,
  relays: [{ first: ip('172.16.8.1'), last: ip('172.16.8.4') }],
});

const site = siteOf(
  [
    networkOf('rack', '10.0.0.0/24', [['10.0.0.200-10.0.0.203', 'known']]),
    networkOf('lan', '192.168.0.0/24', [['192.168.0.111-192.168.0.113', 'unknown']]),
    networkOf('far', '10.7.0.0/24', [['10.7.0.10-10.7.0.20', 'any']], { interface: 'br7' }),
    behind,
  ],
  [
    nodeOf('node01', [NODE, NODE_SECOND], { ip: RESERVED, network: 'rack', image: 'bookworm' }),
    nodeOf('node02', [POOL_NODE]),
    nodeOf('kept', [machine(0x70)], { ip: ip('192.168.0.112'), network: 'lan' }),
    nodeOf('node03', [OF_LAN], { network: 'lan' }),
    nodeOf('node04', [OF_FAR], { network: 'far' }),
  ],
);

const pxe = say(OPTION.vendorClass, 'PXEClient:Arch:00000:UNDI:002001');
const wants = (address: string): Said => say(OPTION.requestedAddress, ip(address));
const from = (server: Ipv4): Said => say(OPTION.serverId, server);

const selects = (network: string): Said => [82, Uint8Array.of(5, 4, ...network.split('.').map(Number))];
const foreign = (relay: string): string => `silence: relay-unknown ${relay}`;

let book: LeaseBook;
let now: number;
let hasRecords: boolean;
let admission: Admission;

beforeEach(() => {
  hasRecords = true;
  admission = new Admission();
  admission.configure(site);
  book = new LeaseBook();
  book.configure(site);
  now = T0;
});

function ask(
  type: Parameters<typeof requestOf>[0],
  who: Mac,
  said: Said[] = [],
  fields: Partial<DhcpPacket> = {},
  through = 'br0',
  sender = fields.ciaddr ?? UNSPECIFIED,
): Decision {
  const request = requestOf(type, who, said, fields);
  book.expire(now);
  admission.expire(now);
  return decided(request, {
    site,
    book,
    interface: through,
    from: sender,
    admission,
    hasRecords,
    now,
  });
}

function held(who: Mac, address: string, network: string, more: Partial<Lease> = {}): Lease {
  const lease: Lease = {
    ip: ip(address),
    mac: who,
    network,
    state: 'bound',
    start: T0,
    expires: T0 + 7_200_000,
    ...more,
  };
  book.put(lease);
  return lease;
}

/** `offer 10.0.0.51 of rack for 7200 s`, or another decision. */
function told(decision: Decision): string {
  switch (decision.kind) {
    case 'offer':
      return `offer ${dotted(decision.ip)} of ${decision.network.name} for ${decision.seconds} s${decision.untried ? ', probed' : ''}`;
    case 'ack':
      return `ack ${dotted(decision.lease.ip)} of ${decision.network.name} for ${decision.seconds} s`;
    case 'nak':
      return `nak: ${codeOf(decision.refusal)}`;
    case 'bootp':
      return `bootp ${dotted(decision.ip)} of ${decision.network.name}`;
    case 'inform':
      return `inform of ${decision.network.name}`;
    case 'change':
      return `${decision.lease.state} ${dotted(decision.lease.ip)}`;
    case 'other-server':
      return `other server ${dotted(decision.server)}`;
    case 'silence':
      return `silence: ${codeOf(decision.refusal)}`;
  }
}

const dotted = (address: Ipv4) => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');

describe('DISCOVER', () => {
  const rows: [string, () => Decision, string][] = [
    ['a node gets its own address', () => ask('discover', NODE), 'offer 10.0.0.51 of rack for 7200 s'],
    ['by any of its MACs', () => ask('discover', NODE_SECOND), 'offer 10.0.0.51 of rack for 7200 s'],
    ['whatever it asks for', () => ask('discover', NODE, [wants('10.0.0.200')]), 'offer 10.0.0.51 of rack for 7200 s'],
    ['its firmware for the full time', () => ask('discover', NODE, [pxe]), 'offer 10.0.0.51 of rack for 7200 s'],
    [
      'a node without address draws from the pool for nodes',
      () => ask('discover', POOL_NODE),
      'offer 10.0.0.200 of rack for 7200 s, probed',
    ],
    [
      'its firmware for a short time',
      () => ask('discover', POOL_NODE, [pxe]),
      `offer 10.0.0.200 of rack for ${BOOT_LEASE_SECONDS} s, probed`,
    ],
    [
      'a stranger draws from the pool for strangers, another network of the same wire',
      () => ask('discover', STRANGER),
      'offer 192.168.0.111 of lan for 7200 s, probed',
    ],
    [
      'a stranger may wish for a free address of its pool',
      () => ask('discover', STRANGER, [wants('192.168.0.113')]),
      'offer 192.168.0.113 of lan for 7200 s, probed',
    ],
    [
      'not for a kept one',
      () => ask('discover', STRANGER, [wants('192.168.0.112')]),
      'offer 192.168.0.111 of lan for 7200 s, probed',
    ],
    [
      "not for one of the nodes' pool",
      () => ask('discover', STRANGER, [wants('10.0.0.201')]),
      'offer 192.168.0.111 of lan for 7200 s, probed',
    ],
    [
      'a shorter time is granted as wished, down to a minute',
      () => ask('discover', STRANGER, [say(OPTION.leaseTime, 5)]),
      'offer 192.168.0.111 of lan for 60 s, probed',
    ],
    [
      'a longer one is not',
      () => ask('discover', STRANGER, [say(OPTION.leaseTime, 0xffffffff)]),
      'offer 192.168.0.111 of lan for 7200 s, probed',
    ],
    [
      'on another wire a node gets what its pools give',
      () => ask('discover', NODE, [], {}, 'br7'),
      'offer 10.7.0.10 of far for 7200 s, probed',
    ],
    [
      'on a wire without networks nobody gets anything',
      () => ask('discover', NODE, [], {}, 'eth9'),
      'silence: interface-unserved eth9',
    ],
    [
      'through a relay, the network of the relay',
      () => ask('discover', STRANGER, [], { giaddr: ip('10.7.0.1') }),
      'offer 10.7.0.10 of far for 7200 s, probed',
    ],
    [
      'or the one that it selects',
      () => ask('discover', STRANGER, [selects('10.7.0.0')], { giaddr: ip('10.0.0.9') }),
      'offer 10.7.0.10 of far for 7200 s, probed',
    ],
    [
      'also with an address of no network, where the network lists the relay',
      () => ask('discover', STRANGER, [selects('10.8.0.0')], { giaddr: ip('172.16.8.3') }),
      'offer 10.8.0.10 of behind for 7200 s, probed',
    ],
    [
      'which then need not select',
      () => ask('discover', STRANGER, [], { giaddr: ip('172.16.8.4') }),
      'offer 10.8.0.10 of behind for 7200 s, probed',
    ],
    [
      'it speaks for that network, and for no other',
      () => ask('discover', STRANGER, [selects('10.7.0.0')], { giaddr: ip('172.16.8.3') }),
      foreign('172.16.8.3'),
    ],
    [
      'a relay that nobody lists speaks for none, whatever it selects',
      () => ask('discover', STRANGER, [selects('10.7.0.0')], { giaddr: ip('172.16.0.1') }),
      foreign('172.16.0.1'),
    ],
    [
      'nor one that selects what is not there',
      () => ask('discover', STRANGER, [selects('172.17.0.0')], { giaddr: ip('172.16.8.3') }),
      foreign('172.16.8.3'),
    ],
    [
      'or one that shares its wire',
      () => ask('discover', STRANGER, [], { giaddr: ip('10.0.0.1') }, 'eth9'),
      'offer 192.168.0.111 of lan for 7200 s, probed',
    ],
    [
      'a relay of no network of ours is not answered',
      () => ask('discover', NODE, [], { giaddr: ip('172.16.0.1') }),
      foreign('172.16.0.1'),
    ],
  ];
  for (const [what, decision, expected] of rows) test(what, () => assert.equal(told(decision()), expected));

  test('who has an address is offered it again, unprobed', () => {
    held(STRANGER, '192.168.0.113', 'lan');
    assert.equal(told(ask('discover', STRANGER)), 'offer 192.168.0.113 of lan for 7200 s');
  });

  test('who had one is offered it again if it is still free', () => {
    held(STRANGER, '192.168.0.113', 'lan', { expires: T0 - 1 });
    assert.equal(told(ask('discover', STRANGER)), 'offer 192.168.0.113 of lan for 7200 s, probed');
    held(OTHER, '192.168.0.113', 'lan');
    assert.equal(told(ask('discover', STRANGER)), 'offer 192.168.0.111 of lan for 7200 s, probed');
  });

  test('who has an offer is offered the same, and others something else, until it lapses', () => {
    book.offer('lan', STRANGER, ip('192.168.0.111'), now);
    assert.equal(told(ask('discover', STRANGER)), 'offer 192.168.0.111 of lan for 7200 s');
    assert.equal(told(ask('discover', OTHER)), 'offer 192.168.0.113 of lan for 7200 s, probed');
    book.offer('lan', machine(0xa3), ip('192.168.0.113'), now);
    assert.equal(told(ask('discover', OTHER)), 'silence: pools-used-up');
    now += OFFER_MS + 1;
    assert.equal(told(ask('discover', OTHER)), 'offer 192.168.0.111 of lan for 7200 s, probed');
  });

  test('a node waits while its address is still leased to another, on a pool address meanwhile', () => {
    held(STRANGER, '10.0.0.51', 'rack', { reserved: false });
    assert.equal(told(ask('discover', NODE)), 'offer 10.0.0.200 of rack for 7200 s, probed');
    now += 7_200_000;
    assert.equal(told(ask('discover', NODE)), 'offer 10.0.0.51 of rack for 7200 s');
  });
});

describe('REQUEST in SELECTING: server identifier and requested address', () => {
  const rows: [string, () => Decision, string][] = [
    [
      'its own address',
      () => ask('request', NODE, [from(SERVER), wants('10.0.0.51')]),
      'ack 10.0.0.51 of rack for 7200 s',
    ],
    [
      'an offered address',
      () => {
        book.offer('lan', STRANGER, ip('192.168.0.111'), now);
        return ask('request', STRANGER, [from(ip('192.168.0.2')), wants('192.168.0.111')]);
      },
      'ack 192.168.0.111 of lan for 7200 s',
    ],
    [
      'a firmware of a pool, for a short time',
      () => ask('request', STRANGER, [pxe, from(ip('192.168.0.2')), wants('192.168.0.111')]),
      `ack 192.168.0.111 of lan for ${BOOT_LEASE_SECONDS} s`,
    ],
    [
      'an address that another holds',
      () => {
        held(OTHER, '192.168.0.111', 'lan');
        return ask('request', STRANGER, [from(ip('192.168.0.2')), wants('192.168.0.111')]);
      },
      'nak: address-taken',
    ],
    [
      'an address that is kept for a node',
      () => ask('request', STRANGER, [from(ip('192.168.0.2')), wants('192.168.0.112')]),
      'nak: address-taken',
    ],
    [
      'a node that takes another than its own',
      () => ask('request', NODE, [from(SERVER), wants('10.0.0.200')]),
      'nak: node-has-address node01',
    ],
    [
      'a pool that is not open to it',
      () => ask('request', STRANGER, [from(SERVER), wants('10.0.0.200')]),
      'nak: address-pool-closed',
    ],
    [
      'an address of no network',
      () => ask('request', STRANGER, [from(SERVER), wants('172.16.0.9')]),
      'nak: address-off-wire',
    ],
    [
      "another server's offer",
      () => ask('request', STRANGER, [from(ip('192.168.0.77')), wants('192.168.0.150')]),
      'other server 192.168.0.77',
    ],
    [
      'through a relay that overrides the server identifier (RFC 5107)',
      () =>
        ask('request', STRANGER, [[82, Uint8Array.of(11, 4, 10, 7, 0, 1)], from(ip('10.7.0.1')), wants('10.7.0.10')], {
          giaddr: ip('10.7.0.1'),
        }),
      'ack 10.7.0.10 of far for 7200 s',
    ],
  ];
  for (const [what, decision, expected] of rows) test(what, () => assert.equal(told(decision()), expected));
});

describe('REQUEST in INIT-REBOOT: requested address alone', () => {
  const rows: [string, () => Decision, string][] = [
    [
      'a node and its own address',
      () => ask('request', NODE, [wants('10.0.0.51')]),
      'ack 10.0.0.51 of rack for 7200 s',
    ],
    ['a node and another address', () => ask('request', NODE, [wants('10.0.0.9')]), 'nak: node-has-address node01'],
    [
      'who holds it by our record',
      () => {
        held(STRANGER, '192.168.0.113', 'lan');
        return ask('request', STRANGER, [wants('192.168.0.113')]);
      },
      'ack 192.168.0.113 of lan for 7200 s',
    ],
    [
      'who held it, and nobody does now',
      () => {
        held(STRANGER, '192.168.0.113', 'lan', { expires: T0 - 1 });
        return ask('request', STRANGER, [wants('192.168.0.113')]);
      },
      'ack 192.168.0.113 of lan for 7200 s',
    ],
    [
      'who holds another by our record',
      () => {
        held(STRANGER, '192.168.0.113', 'lan');
        return ask('request', STRANGER, [wants('192.168.0.20')]);
      },
      'nak: address-pool-closed',
    ],
    [
      'who holds another by our record, and wants a free one',
      () => {
        held(STRANGER, '192.168.0.113', 'lan');
        return ask('request', STRANGER, [wants('192.168.0.111')]);
      },
      'ack 192.168.0.111 of lan for 7200 s',
    ],
    ['the wrong network', () => ask('request', STRANGER, [wants('172.16.0.9')]), 'nak: address-off-wire'],
    [
      'an address of ours that another holds',
      () => {
        held(OTHER, '192.168.0.113', 'lan');
        return ask('request', STRANGER, [wants('192.168.0.113')]);
      },
      'nak: address-taken',
    ],
    [
      'no record, an address of our pool',
      () => ask('request', STRANGER, [wants('192.168.0.113')]),
      'silence: lease-unrecorded',
    ],
    [
      'no record, an address outside our pools',
      () => ask('request', STRANGER, [wants('192.168.0.20')]),
      'silence: address-foreign',
    ],
    ['no address at all', () => ask('request', STRANGER), 'silence: address-missing'],
  ];
  for (const [what, decision, expected] of rows) test(what, () => assert.equal(told(decision()), expected));
});

describe('REQUEST in RENEWING and REBINDING: ciaddr', () => {
  const renew = (who: Mac, address: string, through = 'br0') =>
    ask('request', who, [], { ciaddr: ip(address) }, through);
  const rows: [string, () => Decision, string][] = [
    ['a node', () => renew(NODE, '10.0.0.51'), 'ack 10.0.0.51 of rack for 7200 s'],
    [
      'who holds it',
      () => {
        held(STRANGER, '192.168.0.113', 'lan');
        return renew(STRANGER, '192.168.0.113');
      },
      'ack 192.168.0.113 of lan for 7200 s',
    ],
    [
      'no record, and nobody disputes it',
      () => renew(STRANGER, '192.168.0.113'),
      'ack 192.168.0.113 of lan for 7200 s',
    ],
    [
      'another holds it',
      () => {
        held(OTHER, '192.168.0.113', 'lan');
        return renew(STRANGER, '192.168.0.113');
      },
      'nak: address-taken',
    ],
    ["another server's lease", () => renew(STRANGER, '192.168.0.20'), 'silence: address-foreign'],
    ['the wrong network', () => renew(STRANGER, '172.16.0.9'), 'nak: address-off-wire'],
    [
      'routed from a network that only relays reach',
      () => {
        held(STRANGER, '10.8.0.10', 'behind');
        return renew(STRANGER, '10.8.0.10');
      },
      'ack 10.8.0.10 of behind for 7200 s',
    ],
    [
      'an address that the site keeps for a node since',
      () => {
        held(STRANGER, '192.168.0.112', 'lan');
        return renew(STRANGER, '192.168.0.112');
      },
      'nak: address-taken',
    ],
  ];
  for (const [what, decision, expected] of rows) test(what, () => assert.equal(told(decision()), expected));

  test('a refused client loses its lease, so that the node gets its address at once', () => {
    held(STRANGER, '192.168.0.112', 'lan');
    const decision = renew(STRANGER, '192.168.0.112');
    assert.ok(decision.kind === 'nak' && decision.lease);
    book.put(decision.lease);
    assert.equal(told(ask('discover', machine(0x70))), 'offer 192.168.0.112 of lan for 7200 s');
  });

  test('the lease says when it began, who has it and under which name', () => {
    const decision = ask(
      'request',
      STRANGER,
      [
        [61, Uint8Array.of(1, 2)],
        [12, Buffer.from('a\nb')],
      ],
      {
        ciaddr: ip('192.168.0.113'),
      },
    );
    assert.ok(decision.kind === 'ack');
    assert.deepEqual(decision.lease, {
      ip: ip('192.168.0.113'),
      mac: STRANGER,
      network: 'lan',
      state: 'bound',
      start: T0,
      expires: T0 + 7_200_000,
      reserved: false,
      clientId: Uint8Array.of(1, 2),
      hostname: 'ab',
    });
  });
});

describe('DECLINE, RELEASE, INFORM and the rest', () => {
  test('a declined address is set aside for a while', () => {
    held(STRANGER, '192.168.0.111', 'lan');
    const decision = ask('decline', STRANGER, [from(ip('192.168.0.2')), wants('192.168.0.111')]);
    assert.ok(decision.kind === 'change');
    book.put(decision.lease);
    assert.equal(told(ask('discover', STRANGER)), 'offer 192.168.0.113 of lan for 7200 s, probed');
    assert.equal(decision.lease.expires, T0 + DECLINED_MS);
  });

  test('when all else is taken, the address that was declined first is tried again', () => {
    for (const [n, last] of ['111', '113'].entries()) {
      const who = machine(0xb0 + n);
      book.offer('lan', who, ip(`192.168.0.${last}`), now);
      const decision = ask('decline', who, [wants(`192.168.0.${last}`)]);
      assert.ok(decision.kind === 'change');
      book.put(decision.lease);
    }
    assert.equal(told(ask('discover', STRANGER)), 'offer 192.168.0.111 of lan for 7200 s, probed');
    book.offer('lan', STRANGER, ip('192.168.0.111'), now);
    const taken = ask('request', STRANGER, [from(ip('192.168.0.2')), wants('192.168.0.111')]);
    assert.equal(told(taken), 'ack 192.168.0.111 of lan for 7200 s');
    assert.equal(told(ask('discover', OTHER)), 'offer 192.168.0.113 of lan for 7200 s, probed');
  });

  const rows: [string, () => Decision, string | RegExp][] = [
    [
      'nobody declines what it was not given',
      () => {
        held(OTHER, '192.168.0.111', 'lan');
        return ask('decline', STRANGER, [wants('192.168.0.111')]);
      },
      'silence: decline-not-held',
    ],
    ['a DECLINE without an address', () => ask('decline', STRANGER), 'silence: decline-not-ours'],
    [
      'a node that declines its own address keeps it',
      () => ask('decline', NODE, [wants('10.0.0.51')]),
      'silence: decline-own-address node01',
    ],
    [
      'RELEASE of what it holds',
      () => {
        held(STRANGER, '192.168.0.111', 'lan');
        return ask('release', STRANGER, [], { ciaddr: ip('192.168.0.111') });
      },
      'released 192.168.0.111',
    ],
    [
      "RELEASE of another's",
      () => {
        held(OTHER, '192.168.0.111', 'lan');
        return ask('release', STRANGER, [], { ciaddr: ip('192.168.0.111') });
      },
      'silence: release-not-held',
    ],
    ['INFORM', () => ask('inform', STRANGER, [], { ciaddr: ip('192.168.0.9') }), 'inform of lan'],
    [
      'INFORM that leaves its address out',
      () => ask('inform', STRANGER, [], {}, 'br0', ip('192.168.0.9')),
      'inform of lan',
    ],
    [
      'and comes from behind a router',
      () => ask('inform', STRANGER, [], {}, 'br0', ip('10.8.0.12')),
      'inform of behind',
    ],
    [
      'and comes through a relay',
      () => ask('inform', STRANGER, [], { giaddr: ip('192.168.0.1') }, 'br0', ip('192.168.0.1')),
      'inform of lan',
    ],
    ['and comes from nowhere', () => ask('inform', STRANGER), 'silence: inform-without-address'],
    [
      'and comes from elsewhere',
      () => ask('inform', STRANGER, [], {}, 'br0', ip('172.16.9.9')),
      'silence: inform-off-wire',
    ],
    [
      'INFORM from elsewhere',
      () => ask('inform', STRANGER, [], { ciaddr: ip('172.16.0.9') }),
      'silence: inform-off-wire',
    ],
    ['a server message', () => ask('ack', STRANGER), 'silence: message-unanswered'],
  ];
  for (const [what, decision, expected] of rows) test(what, () => assert.equal(told(decision()), expected));

  test('a client of BOOTP is given the address of its own, and none that would have to be given back', () => {
    const from = (who: Mac, options = new Map<number, Uint8Array>()) => {
      const request = { ...requestOf('discover', who), options };
      return told(
        decided(request, {
          site,
          book,
          interface: 'br0',
          from: UNSPECIFIED,
          admission,
          hasRecords: true,
          now,
        }),
      );
    };
    assert.equal(from(NODE), 'bootp 10.0.0.51 of rack');
    assert.equal(from(STRANGER), 'silence: bootp-without-own-address');
    assert.equal(from(NODE, new Map([[53, new Uint8Array()]])), 'silence: message-unanswered');
    held(STRANGER, '10.0.0.51', 'rack', { reserved: false });
    assert.match(from(NODE), /^silence/, 'a stranger has it until its lease ends');
  });
});

describe('limits for machines that the site does not list', () => {
  const SHARED = networkOf('shared', '10.4.0.0/24', [['10.4.0.10-10.4.0.13', 'any']], { interface: 'br4' });
  const NODES = [nodeOf('p1', [machine(0x91)]), nodeOf('p2', [machine(0x92)])];
  const of = siteOf([SHARED], NODES);
  const port: Said = [82, Uint8Array.of(1, 2, 0x70, 0x31, 2, 2, 0x73, 0x37)];
  let here: LeaseBook;
  beforeEach(() => {
    here = new LeaseBook();
    here.configure(of);
    admission.configure({ ...of, dhcp: { ...of.dhcp, strangersPerPort: 2 } });
  });
  function asks(type: Parameters<typeof requestOf>[0], who: Mac, said: Said[] = [], fields: Partial<DhcpPacket> = {}) {
    const request = requestOf(type, who, said, fields);
    here.expire(now);
    const around = { site: of, book: here, admission, hasRecords: true, interface: 'br4', from: UNSPECIFIED, now };
    return decided(request, around);
  }
  /** Asks, and takes what it is given. */
  function lives(who: Mac, said: Said[] = []): Decision {
    const decision = asks('discover', who, said);
    if (decision.kind !== 'offer') return decision;
    const { ip: address, stranger } = decision;
    here.put({ ip: address, mac: who, network: 'shared', state: 'bound', start: now, expires: now + 60_000 });
    if (stranger) admission.take(stranger, address, now + 60_000, now);
    return decision;
  }

  test('half of a pool is left to the nodes that draw from it, whatever strangers ask', () => {
    assert.match(told(lives(machine(1))), /^offer/);
    assert.match(told(lives(machine(2))), /^offer/);
    const KEPT = 'silence: pools-kept-for-nodes';
    assert.equal(told(lives(machine(3))), KEPT);
    assert.equal(told(asks('request', machine(3), [], { ciaddr: ip('10.4.0.13') })), 'silence: pool-kept-for-nodes');
    assert.match(told(lives(machine(1))), /^offer/, 'who has an address keeps it');
    assert.match(told(asks('request', machine(1), [], { ciaddr: ip('10.4.0.10') })), /^ack/);
    for (const { macs } of NODES) assert.match(told(lives(macs[0])), /^offer/);
    now += 60_000;
    assert.match(told(lives(machine(3))), /^offer/);
  });

  const FULL = /^silence: switch-port-full 2$/;
  const FAST = /^silence: strangers-limited 1$/;
  const wishes: [string, (who: Mac, said: Said[]) => Decision][] = [
    ['DISCOVER', (who, said) => asks('discover', who, said)],
    [
      'REQUEST of an address that was not offered',
      (who, said) => asks('request', who, [...said, from(ip('10.4.0.2')), wants('10.4.0.12')]),
    ],
    ['renewal without a record', (who, said) => asks('request', who, said, { ciaddr: ip('10.4.0.12') })],
  ];
  for (const [what, wish] of wishes) {
    test(`${what}: a full switch port gets no more, another does`, () => {
      for (const n of [1, 2]) lives(machine(n), [port]);
      here = new LeaseBook();
      here.configure(of);
      assert.match(told(wish(machine(3), [port])), FULL);
      assert.doesNotMatch(told(wish(machine(3), [])), FULL);
      assert.doesNotMatch(told(wish(NODES[0]?.macs[0] ?? assert.fail(), [port])), FULL);
    });

    test(`${what}: no more new machines in a second than the site says, and nodes do not count`, () => {
      admission.configure({ ...of, dhcp: { ...of.dhcp, strangersPerSecond: 1 } });
      for (let n = 0; n < 5; n++)
        admission.take({ port: undefined, wire: [SHARED], isNew: true }, ip('10.4.0.11'), now, now);
      assert.match(told(wish(machine(3), [])), FAST);
      assert.doesNotMatch(told(wish(NODES[0]?.macs[0] ?? assert.fail(), [])), FAST);
      now += 1000;
      assert.doesNotMatch(told(wish(machine(3), [])), FAST);
    });
  }

  test('an offer that is taken counts once', () => {
    const offered = asks('discover', machine(1));
    assert.ok(offered.kind === 'offer' && offered.stranger?.isNew);
    here.offer('shared', machine(1), offered.ip, now);
    const taken = asks('request', machine(1), [from(ip('10.4.0.2')), wants('10.4.0.10')]);
    assert.ok(taken.kind === 'ack' && taken.stranger?.isNew === false);
  });
});

describe('while the leases of the state are not known', () => {
  const UNKNOWN = 'silence: leases-unknown';
  const rows: [string, () => Decision, string][] = [
    ['a node is offered its own address', () => ask('discover', NODE), 'offer 10.0.0.51 of rack for 7200 s'],
    [
      'and given it',
      () => ask('request', NODE, [from(SERVER), wants('10.0.0.51')]),
      'ack 10.0.0.51 of rack for 7200 s',
    ],
    ['also after a restart', () => ask('request', NODE, [wants('10.0.0.51')]), 'ack 10.0.0.51 of rack for 7200 s'],
    ['and to renew', () => ask('request', NODE, [], { ciaddr: RESERVED }), 'ack 10.0.0.51 of rack for 7200 s'],
    ['not on another wire', () => ask('discover', NODE, [], {}, 'br7'), UNKNOWN],
    ['a stranger waits', () => ask('discover', STRANGER), UNKNOWN],
    [
      'one that asks for a free address',
      () => ask('request', STRANGER, [from(ip('192.168.0.2')), wants('192.168.0.111')]),
      UNKNOWN,
    ],
    ['one that renews', () => ask('request', STRANGER, [], { ciaddr: ip('192.168.0.113') }), UNKNOWN],
    ['a node that draws from a pool waits for an address', () => ask('discover', POOL_NODE), UNKNOWN],
    ['and after a restart', () => ask('request', POOL_NODE, [wants('10.0.0.200')]), UNKNOWN],
    [
      'and keeps the one that it has',
      () => ask('request', POOL_NODE, [], { ciaddr: ip('10.0.0.200') }),
      'ack 10.0.0.200 of rack for 7200 s',
    ],
    ['one that is to be refused', () => ask('request', STRANGER, [wants('172.16.0.9')]), UNKNOWN],
    ['a RELEASE', () => ask('release', NODE, [], { ciaddr: RESERVED }), UNKNOWN],
    ['a DECLINE', () => ask('decline', NODE, [wants('10.0.0.51')]), UNKNOWN],
    ['INFORM asks for no address', () => ask('inform', STRANGER, [], { ciaddr: ip('192.168.0.9') }), 'inform of lan'],
  ];
  for (const [what, decision, expected] of rows) {
    test(what, () => {
      hasRecords = false;
      assert.equal(told(decision()), expected);
    });
  }
});

describe('what a disk that is full may keep from a client', () => {
  const rows: [string, () => Decision, needsRecord: boolean][] = [
    ['a node’s own address: no', () => ask('request', NODE, [from(SERVER), wants('10.0.0.51')]), false],
    [
      'the pool address that a node has: no',
      () => ask('request', POOL_NODE, [from(SERVER), wants('10.0.0.200')]),
      false,
    ],
    ['and renews: no', () => ask('request', POOL_NODE, [], { ciaddr: ip('10.0.0.200') }), false],
    [
      'and renews after its record was lost: no',
      () => ask('request', POOL_NODE, [], { ciaddr: ip('10.0.0.201') }),
      false,
    ],
    [
      'another pool address for a node: yes',
      () => ask('request', POOL_NODE, [from(SERVER), wants('10.0.0.202')]),
      true,
    ],
    ['what a stranger renews: yes', () => ask('request', STRANGER, [], { ciaddr: ip('192.168.0.113') }), true],
  ];
  for (const [what, decision, needsRecord] of rows) {
    test(what, () => {
      held(POOL_NODE, '10.0.0.200', 'rack');
      held(STRANGER, '192.168.0.113', 'lan');
      const decided = decision();
      assert.equal(decided.kind === 'ack' && decided.needsRecord, needsRecord);
    });
  }
});

describe('what comes from another wire than the lease', () => {
  const LAN = '192.168.0.111';
  const FAR = '10.7.0.10';
  const BEHIND = '10.8.0.10';
  const lent = () => {
    held(STRANGER, LAN, 'lan');
    held(STRANGER, FAR, 'far');
    held(STRANGER, BEHIND, 'behind');
  };
  type Kind = 'release' | 'decline' | 'renew' | 'reboot';
  /** One that has the client's MAC address ends its lease, or moves it, or does not. */
  function forge(kind: Kind, address: string, through: string, fields: Partial<DhcpPacket> = {}, sender?: Ipv4) {
    lent();
    const [type, more, named] = {
      release: ['release', { ciaddr: ip(address) }, []],
      decline: ['decline', fields.ciaddr === undefined ? {} : { ciaddr: ip(address) }, [wants(address)]],
      renew: ['request', { ciaddr: ip(address) }, []],
      reboot: ['request', {}, [wants(address)]],
    }[kind] as [Parameters<typeof requestOf>[0], Partial<DhcpPacket>, Said[]];
    const decision = ask(type, STRANGER, named, { ...more, ...fields }, through, sender);
    if ('lease' in decision && decision.lease) book.put(decision.lease);
    return told(decision);
  }
  const keeps = (address: string, network: string) => {
    const lease = book.leaseAt(ip(address));
    assert.deepEqual([lease?.mac, lease?.network, lease?.state], [STRANGER, network, 'bound']);
  };
  const relay = (address: string): Partial<DhcpPacket> => ({ giaddr: ip(address) });

  const believed: [string, ...Parameters<typeof forge>, expected: string][] = [
    ['its own wire', 'release', LAN, 'br0', {}, undefined, `released ${LAN}`],
    ['another network of its wire', 'release', FAR, 'br7', {}, undefined, `released ${FAR}`],
    ['its relay', 'release', BEHIND, 'br0', relay('10.8.0.1'), undefined, `released ${BEHIND}`],
    ['behind its relay, directly', 'release', BEHIND, 'br0', {}, undefined, `released ${BEHIND}`],
    ['a relay on its own wire', 'release', LAN, 'br0', relay('192.168.0.1'), undefined, `released ${LAN}`],
    ['its own wire', 'decline', LAN, 'br0', {}, undefined, `declined ${LAN}`],
    ['its relay', 'decline', BEHIND, 'br0', relay('10.8.0.1'), undefined, `declined ${BEHIND}`],
  ];
  for (const [where, kind, address, through, fields, sender, expected] of believed) {
    test(`a ${kind.toUpperCase()} from ${where} is believed`, () => {
      assert.equal(forge(kind, address, through, fields, sender), expected);
    });
  }

  const NOT_HOME = 'silence: lease-on-other-wire';
  const NOT_ITS_ADDRESS = 'silence: release-source-differs';
  const NOT_HERE = 'nak: address-off-wire';
  const OTHERS = ip('10.7.0.66');
  const refused: [string, network: string, ...Parameters<typeof forge>, expected: string][] = [
    ['a RELEASE on another wire', 'lan', 'release', LAN, 'br7', {}, undefined, NOT_HOME],
    ['a RELEASE on another wire, the other way', 'far', 'release', FAR, 'br0', {}, undefined, NOT_HOME],
    [
      'a RELEASE that names a relay of its network',
      'lan',
      'release',
      LAN,
      'br7',
      relay('192.168.0.1'),
      undefined,
      NOT_HOME,
    ],
    ['a RELEASE that names a relay of another', 'lan', 'release', LAN, 'br0', relay('10.7.0.1'), undefined, NOT_HOME],
    [
      'a RELEASE of a network behind relays from a wire without',
      'behind',
      'release',
      BEHIND,
      'br7',
      {},
      undefined,
      NOT_HOME,
    ],
    ['and one that names the relay', 'behind', 'release', BEHIND, 'br7', relay('10.8.0.1'), undefined, NOT_HOME],
    ['a RELEASE from another address', 'lan', 'release', LAN, 'br0', {}, OTHERS, NOT_ITS_ADDRESS],
    ['a RELEASE from no address', 'lan', 'release', LAN, 'br0', {}, UNSPECIFIED, NOT_ITS_ADDRESS],
    ['one from behind a router, too', 'behind', 'release', BEHIND, 'br0', {}, OTHERS, NOT_ITS_ADDRESS],
    ['a DECLINE on another wire', 'lan', 'decline', LAN, 'br7', {}, undefined, 'silence: decline-not-ours'],
    [
      'a DECLINE that names its address as its own',
      'lan',
      'decline',
      LAN,
      'br7',
      { ciaddr: ip(LAN) },
      undefined,
      'silence: decline-not-ours',
    ],
    [
      'a DECLINE that names a relay of its network',
      'lan',
      'decline',
      LAN,
      'br7',
      relay('192.168.0.1'),
      undefined,
      NOT_HOME,
    ],
    [
      'a DECLINE that names the relay before it',
      'behind',
      'decline',
      BEHIND,
      'br7',
      relay('10.8.0.1'),
      undefined,
      NOT_HOME,
    ],
    ['a renewal on another wire, which is refused there', 'lan', 'renew', LAN, 'br7', {}, undefined, NOT_HERE],
    ['a return (INIT-REBOOT) on another wire', 'lan', 'reboot', LAN, 'br7', {}, undefined, NOT_HERE],
    [
      'a renewal of a free address of its network behind a router',
      'behind',
      'renew',
      '10.8.0.15',
      'br7',
      {},
      undefined,
      'silence: routed-lease-unrecorded',
    ],
    [
      'a renewal from behind a router that comes from elsewhere',
      'behind',
      'renew',
      BEHIND,
      'br7',
      {},
      OTHERS,
      'silence: renewal-source-differs',
    ],
  ];
  for (const [what, network, kind, address, through, fields, sender, expected] of refused) {
    test(`${what} leaves the lease alone`, () => {
      assert.equal(forge(kind, address, through, fields, sender), expected);
      keeps({ lan: LAN, far: FAR, behind: BEHIND }[network] ?? assert.fail(), network);
    });
  }

  test('what a REQUEST names besides does not make it one from behind a router', () => {
    lent();
    const says = [from(SERVER), wants('10.8.0.15')];
    assert.equal(told(ask('request', STRANGER, says, { ciaddr: ip(BEHIND) }, 'br7')), NOT_HERE);
    keeps(BEHIND, 'behind');
  });

  test('another server that is chosen elsewhere does not take an offer away', () => {
    book.offer('lan', STRANGER, ip(LAN), now);
    const decision = ask('request', STRANGER, [from(ip('10.7.0.77')), wants('10.7.0.12')], {}, 'br7');
    assert.ok(decision.kind === 'other-server');
    assert.deepEqual(
      decision.wire.map(({ name }) => name),
      ['far'],
    );
  });
});

describe('a node that belongs to a network (`network:`)', () => {
  const rows: [string, () => Decision, string][] = [
    ['draws from its pools', () => ask('discover', OF_FAR, [], {}, 'br7'), 'offer 10.7.0.10 of far for 7200 s, probed'],
    ['not from those of another network of its wire', () => ask('discover', OF_LAN), 'silence: pools-closed node03'],
    [
      'whatever it asks for',
      () => ask('request', OF_LAN, [from(SERVER), wants('10.0.0.200')]),
      'nak: node-of-other-network node03 lan',
    ],
    [
      'on another wire it is a machine like any other',
      () => ask('discover', OF_LAN, [], {}, 'br7'),
      'offer 10.7.0.10 of far for 7200 s, probed',
    ],
  ];
  for (const [what, decision, expected] of rows) test(what, () => assert.equal(told(decision()), expected));

  const wires: [string, Mac, through: string, fields: Partial<DhcpPacket>, elsewhere: boolean][] = [
    ['a node with an address, on its wire', NODE, 'br0', {}, false],
    ['on another', NODE, 'br7', {}, true],
    ['behind a relay of its network', NODE, 'br7', { giaddr: ip('10.0.0.1') }, false],
    ['behind a relay of another', NODE, 'br0', { giaddr: ip('10.8.0.1') }, true],
    ['a node with a network, on its wire', OF_FAR, 'br7', {}, false],
    ['on another', OF_FAR, 'br0', {}, true],
    ['a node that may be anywhere', POOL_NODE, 'br7', {}, false],
    ['a stranger', STRANGER, 'br7', {}, false],
    ['a wire that is not served', NODE, 'eth9', {}, false],
  ];
  for (const [what, who, through, fields, elsewhere] of wires) {
    test(`${what} ${elsewhere ? 'asks elsewhere' : 'does not ask elsewhere'}`, () => {
      const request = requestOf('discover', who, [], fields);
      assert.equal(exchangeOf(request, { ip: UNSPECIFIED, port: 68 }, through, site).isElsewhere, elsewhere);
    });
  }
});

describe('classes and pools', () => {
  const phones = networkOf('phones', '10.3.0.0/24', [['10.3.0.10-10.3.0.19', 'handset']]);
  const handset: SiteClass = {
    name: 'handset',
    conditions: { macs: [{ mac: mac('00:04:13:00:00:00'), bits: 24 }] },
    options: new Map(),
  };
  const compute: SiteClass = {
    name: 'compute',
    conditions: { vendorClass: [textPattern('PXEClient*') ?? assert.fail()] },
    leaseSeconds: 600,
    options: new Map(),
  };
  const openstack: SiteClass = {
    name: 'openstack',
    conditions: { macs: [NODE, POOL_NODE, STRANGER].map((each) => ({ mac: each, bits: 48 })) },
    options: new Map(),
  };
  const HANDSET = mac('00:04:13:00:00:01');
  const nodes = [nodeOf('node01', [NODE], { ip: RESERVED, network: 'rack' }), nodeOf('node02', [POOL_NODE])];
  /** The networks of one wire. */
  const wire = (...networks: ServedNetwork[]) => siteOf(networks, nodes, [openstack, compute, handset]);
  const rackAnd = (...members: string[]) =>
    networkOf(
      'rack',
      '10.0.0.0/24',
      members.map((words, i) => [`10.0.0.${200 + i}`, words] as const),
    );
  const lan = (words: string) => networkOf('lan', '192.168.0.0/24', [['192.168.0.111-192.168.0.113', words]]);

  /** What a DISCOVER brings in a site of its own. */
  function discover(of: DhcpSite, who: Mac, said: Said[] = []): string {
    const request = requestOf('discover', who, said);
    const fresh = new LeaseBook();
    fresh.configure(of);
    return told(
      decided(request, {
        site: of,
        book: fresh,
        interface: 'br0',
        from: UNSPECIFIED,
        admission,
        hasRecords: true,
        now,
      }),
    );
  }

  const rows: [what: string, of: DhcpSite, who: Mac, expected: string, said?: Said[]][] = [
    ['a member draws from the pool of its class', wire(rackAnd('openstack'), lan('any')), STRANGER, 'rack'],
    ['who is none draws from the other', wire(rackAnd('openstack'), lan('any')), OTHER, 'lan'],
    ['a class that is refused goes elsewhere', wire(lan('any !openstack'), rackAnd('openstack')), STRANGER, 'rack'],
    ['a refusal wins over what lets in', wire(rackAnd('openstack !unknown')), STRANGER, 'pools-closed'],
    ['and leaves known members in', wire(rackAnd('openstack !unknown')), POOL_NODE, 'rack'],
    ['deny unknown-clients', wire(rackAnd('any !unknown'), lan('unknown')), OTHER, 'lan'],
    ['deny known-clients', wire(rackAnd('any !known'), lan('known')), POOL_NODE, 'lan'],
    ['a pool that refuses all is closed', wire(rackAnd('any !any')), POOL_NODE, 'pools-closed'],
    ['a pool that lets nobody in, too', wire(networkOf('rack', '10.0.0.0/24', [])), POOL_NODE, 'pools-closed'],
    ['one word of several suffices', wire(rackAnd('handset known')), POOL_NODE, 'rack'],
    ['of several pools the first open one', wire(rackAnd('unknown', 'handset', 'openstack')), POOL_NODE, '202'],
    ['a node with its own address needs no pool', wire(rackAnd('handset'), lan('unknown')), NODE, '10.0.0.51'],
    ['nor is it kept off by a refusal', wire(rackAnd('any !openstack')), NODE, '10.0.0.51'],
    ['whatever order the networks have', wire(lan('any'), rackAnd('any')), NODE, '10.0.0.51'],
    [
      'an OUI leads to a network of its own',
      wire(rackAnd('known'), lan('unknown !handset'), phones),
      HANDSET,
      'phones',
    ],
    ['and others stay out of it', wire(phones, rackAnd('known'), lan('unknown !handset')), OTHER, 'lan'],
    ['firmware is told apart from its system', wire(rackAnd('compute'), lan('any')), OTHER, 'rack', [pxe]],
  ];
  for (const [what, of, who, expected, said] of rows) {
    test(what, () => {
      const answer = discover(of, who, said);
      assert.ok(answer.includes(expected), answer);
    });
  }

  test('one that is no member any more is refused what it had', () => {
    const of = wire(rackAnd('compute'), lan('any'));
    const fresh = new LeaseBook();
    fresh.configure(of);
    fresh.put({ ip: ip('10.0.0.200'), mac: OTHER, network: 'rack', state: 'bound', start: T0, expires: T0 + 600_000 });
    const renewal = (said: Said[]) => {
      const request = requestOf('request', OTHER, said, { ciaddr: ip('10.0.0.200') });
      return told(
        decided(request, {
          site: of,
          book: fresh,
          interface: 'br0',
          from: UNSPECIFIED,
          admission,
          hasRecords: true,
          now,
        }),
      );
    };
    assert.equal(renewal([pxe]), `ack 10.0.0.200 of rack for ${BOOT_LEASE_SECONDS} s`);
    assert.equal(renewal([]), 'nak: address-pool-closed');
  });

  test('the lease time is the last that network, pool and classes say', () => {
    const short = networkOf('lan', '192.168.0.0/24', [], {
      pools: [poolOf('192.168.0.111', 'unknown', { leaseSeconds: 900 }), poolOf('192.168.0.112', 'known')],
    });
    const of = siteOf([short], nodes, [{ ...openstack, leaseSeconds: 300 }, handset]);
    assert.match(discover(of, OTHER), /for 900 s/);
    assert.match(discover(of, POOL_NODE), /for 300 s/);
    assert.match(discover(of, STRANGER), /for 300 s/);
    assert.match(discover(siteOf([short], nodes), POOL_NODE), /for 7200 s/);
  });
});
