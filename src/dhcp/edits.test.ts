import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatIpv4, type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import { OPTION } from '../model/options.ts';
import { ip, nodeOf } from '../site/testing/fixture.ts';
import { Admission } from './admission.ts';
import { LeaseBook } from './book.ts';
import type { DhcpPacket } from './packet.ts';
import type { Decision } from './policy.ts';
import type { DhcpSite } from './site.ts';
import { codeOf, decided, machine, networkOf, requestOf, type Said, say, siteOf } from './testing/fixture.ts';

/** What becomes of leases when the site is edited while they run. */

const T0 = 1_800_000_000_000;
const [A, B, STRANGER] = [machine(0x51), machine(0x52), machine(0xa1)];
const NEW_CARD = machine(0x5a);
const rack = networkOf('rack', '10.0.0.0/24', [['10.0.0.100-10.0.0.199', 'any']]);
const far = networkOf('far', '10.7.0.0/24', [['10.7.0.10-10.7.0.20', 'any']], { interface: 'br7' });
const own = (name: string, mac: Mac, address: string) => nodeOf(name, [mac], { ip: ip(address), network: 'rack' });
const probing = (site: DhcpSite, probe: DhcpSite['dhcp']['probe']): DhcpSite => ({
  ...site,
  dhcp: { ...site.dhcp, probe },
});

type Asks = {
  type: 'discover' | 'request';
  said?: Said[];
  fields?: Partial<DhcpPacket>;
  through?: string;
  answered?: Ipv4;
};
const wants = (address: string): Said => say(OPTION.requestedAddress, ip(address));
const taking = (address: string): Said[] => [wants(address), say(OPTION.serverId, ip('10.0.0.2'))];
const renewing = (address: string): Asks => ({ type: 'request', fields: { ciaddr: ip(address) } });
const rebooting = (address: string): Asks => ({ type: 'request', said: [wants(address)] });
const DISCOVER: Asks = { type: 'discover' };

function ask(
  site: DhcpSite,
  book: LeaseBook,
  who: Mac,
  { type, said = [], fields = {}, ...more }: Asks,
  now = T0 + 1000,
): Decision {
  const request = requestOf(type, who, said, fields);
  book.expire(now);
  return decided(request, {
    site,
    book,
    admission: new Admission(),
    hasRecords: true,
    interface: more.through ?? 'br0',
    from: fields.ciaddr ?? UNSPECIFIED,
    ...(more.answered === undefined ? {} : { answered: more.answered }),
    now,
  });
}

/** Binds a machine as it would be bound by `site`. */
function bind(site: DhcpSite, book: LeaseBook, who: Mac, address: string, through = 'br0'): void {
  const decision = ask(site, book, who, { type: 'request', said: taking(address), through }, T0);
  assert.ok(decision.kind === 'ack', told(decision));
  book.put(decision.lease);
}

function told(decision: Decision): string {
  if (decision.kind === 'offer')
    return `offer ${formatIpv4(decision.ip)} of ${decision.network.name}${decision.untried ? ', probed' : ''}`;
  if (decision.kind === 'ack') return `ack ${formatIpv4(decision.lease.ip)} of ${decision.network.name}`;
  return 'refusal' in decision ? `${decision.kind}: ${codeOf(decision.refusal)}` : decision.kind;
}

type Row = {
  what: string;
  before: DhcpSite;
  /** Who has which address, before the edit. */
  held: [who: Mac, address: string, through?: string][];
  after: DhcpSite;
  asks: [who: Mac, asks: Asks, expected: string][];
};

const node01 = siteOf([rack], [own('node01', A, '10.0.0.51')]);
const replaced = siteOf([rack], [own('node01', NEW_CARD, '10.0.0.51')]);
const inPool = siteOf([rack], [own('node01', A, '10.0.0.151')]);
const pair = siteOf([rack], [own('node01', A, '10.0.0.51'), own('node02', B, '10.0.0.52')]);
const swapped = siteOf([rack], [own('node01', B, '10.0.0.51'), own('node02', A, '10.0.0.52')]);
const openRack = siteOf([rack, far]);
const RELAYED = { giaddr: ip('10.0.0.1') };

const rows: Row[] = [
  {
    what: 'a card is replaced: the new one gets the address at once where nobody can be asked',
    before: node01,
    held: [[A, '10.0.0.51']],
    after: replaced,
    asks: [
      [NEW_CARD, DISCOVER, 'offer 10.0.0.51 of rack'],
      [NEW_CARD, rebooting('10.0.0.51'), 'ack 10.0.0.51 of rack'],
      [NEW_CARD, renewing('10.0.0.51'), 'ack 10.0.0.51 of rack'],
      [A, renewing('10.0.0.51'), 'nak: address-pool-closed'],
    ],
  },
  {
    what: 'a card is replaced: where probes can be sent, the address is probed first',
    before: node01,
    held: [[A, '10.0.0.51']],
    after: probing(replaced, 'arp'),
    asks: [
      [NEW_CARD, DISCOVER, 'offer 10.0.0.51 of rack, probed'],
      [NEW_CARD, { ...DISCOVER, answered: ip('10.0.0.51') }, 'offer 10.0.0.100 of rack, probed'],
      [NEW_CARD, rebooting('10.0.0.51'), 'nak: address-pool-closed'],
      [NEW_CARD, renewing('10.0.0.51'), 'ack 10.0.0.51 of rack'],
      [NEW_CARD, { ...DISCOVER, fields: RELAYED }, 'offer 10.0.0.51 of rack'],
    ],
  },
  {
    what: 'a card is replaced: ICMP passes relays',
    before: node01,
    held: [[A, '10.0.0.51']],
    after: probing(replaced, 'icmp'),
    asks: [[NEW_CARD, { ...DISCOVER, fields: RELAYED }, 'offer 10.0.0.51 of rack, probed']],
  },
  {
    what: 'a card is replaced, and the address lies in a pool',
    before: inPool,
    held: [[A, '10.0.0.151']],
    after: siteOf([rack], [own('node01', NEW_CARD, '10.0.0.151')]),
    asks: [[NEW_CARD, DISCOVER, 'offer 10.0.0.151 of rack']],
  },
  {
    what: 'an address that a stranger drew is kept for a node: it is given to it once nobody answers',
    before: openRack,
    held: [[STRANGER, '10.0.0.151']],
    after: probing(inPool, 'arp'),
    asks: [
      [A, DISCOVER, 'offer 10.0.0.151 of rack, probed'],
      [A, { ...DISCOVER, answered: ip('10.0.0.151') }, 'offer 10.0.0.100 of rack, probed'],
      [STRANGER, renewing('10.0.0.151'), 'nak: address-taken'],
    ],
  },
  {
    what: 'an address that a stranger drew is kept for a node: where nobody can be asked, the stranger has it until it asks',
    before: openRack,
    held: [[STRANGER, '10.0.0.151']],
    after: inPool,
    asks: [[A, DISCOVER, 'offer 10.0.0.100 of rack, probed']],
  },
  {
    what: 'two nodes exchange their cards',
    before: pair,
    held: [
      [A, '10.0.0.51'],
      [B, '10.0.0.52'],
    ],
    after: swapped,
    asks: [
      [A, DISCOVER, 'offer 10.0.0.52 of rack'],
      [B, DISCOVER, 'offer 10.0.0.51 of rack'],
      [A, renewing('10.0.0.51'), 'nak: node-has-address node02'],
    ],
  },
  {
    what: 'a node is renamed',
    before: node01,
    held: [[A, '10.0.0.51']],
    after: siteOf([rack], [own('compute-01', A, '10.0.0.51')]),
    asks: [
      [A, DISCOVER, 'offer 10.0.0.51 of rack'],
      [A, renewing('10.0.0.51'), 'ack 10.0.0.51 of rack'],
    ],
  },
  {
    what: 'a node gets another address, and its old one goes to another node',
    before: node01,
    held: [[A, '10.0.0.51']],
    after: siteOf([rack], [own('node01', A, '10.0.0.61'), own('node02', B, '10.0.0.51')]),
    asks: [
      [A, DISCOVER, 'offer 10.0.0.61 of rack'],
      [A, renewing('10.0.0.51'), 'nak: node-has-address node01'],
      [B, DISCOVER, 'offer 10.0.0.51 of rack'],
    ],
  },
  {
    what: 'a network is renamed',
    before: openRack,
    held: [[STRANGER, '10.0.0.150']],
    after: siteOf([{ ...rack, name: 'cluster' }, far]),
    asks: [
      [STRANGER, DISCOVER, 'offer 10.0.0.150 of cluster'],
      [STRANGER, renewing('10.0.0.150'), 'ack 10.0.0.150 of cluster'],
      [STRANGER, rebooting('10.0.0.150'), 'ack 10.0.0.150 of cluster'],
      [A, { ...DISCOVER, said: [wants('10.0.0.150')] }, 'offer 10.0.0.100 of cluster, probed'],
    ],
  },
  {
    what: 'two networks exchange their names',
    before: openRack,
    held: [
      [STRANGER, '10.0.0.150'],
      [STRANGER, '10.7.0.15', 'br7'],
    ],
    after: siteOf([
      { ...rack, name: 'far' },
      { ...far, name: 'rack' },
    ]),
    asks: [
      [STRANGER, DISCOVER, 'offer 10.0.0.150 of far'],
      [STRANGER, { ...DISCOVER, through: 'br7' }, 'offer 10.7.0.15 of rack'],
    ],
  },
  {
    what: 'a network is drawn larger, and its pool is another',
    before: openRack,
    held: [[STRANGER, '10.0.0.150']],
    after: siteOf([networkOf('big', '10.0.0.0/16', [['10.0.0.150-10.0.1.10', 'any']])]),
    asks: [
      [STRANGER, DISCOVER, 'offer 10.0.0.150 of big'],
      [A, DISCOVER, 'offer 10.0.0.151 of big, probed'],
    ],
  },
  {
    what: 'a network is cut in two, and the pool goes to the new one',
    before: openRack,
    held: [[STRANGER, '10.0.0.150']],
    after: siteOf([
      networkOf('rack', '10.0.0.0/25', [['10.0.0.100-10.0.0.120', 'any']]),
      networkOf('upper', '10.0.0.128/25', [['10.0.0.140-10.0.0.199', 'any']], { interface: 'br9' }),
    ]),
    asks: [
      [STRANGER, { ...DISCOVER, through: 'br9' }, 'offer 10.0.0.150 of upper'],
      [STRANGER, { ...renewing('10.0.0.150'), through: 'br9' }, 'ack 10.0.0.150 of upper'],
      [A, { ...DISCOVER, through: 'br9' }, 'offer 10.0.0.140 of upper, probed'],
    ],
  },
  {
    what: 'two networks become one: a machine that had an address in each has both',
    before: openRack,
    held: [
      [STRANGER, '10.0.0.150'],
      [STRANGER, '10.7.0.15', 'br7'],
    ],
    after: siteOf([networkOf('all', '10.0.0.0/8', [['10.0.0.150-10.7.0.20', 'any']])]),
    asks: [
      [STRANGER, renewing('10.0.0.150'), 'ack 10.0.0.150 of all'],
      [STRANGER, renewing('10.7.0.15'), 'ack 10.7.0.15 of all'],
      [A, { ...DISCOVER, said: [wants('10.0.0.150')] }, 'offer 10.0.0.151 of all, probed'],
      [A, { ...DISCOVER, said: [wants('10.7.0.15')] }, 'offer 10.0.0.151 of all, probed'],
    ],
  },
];

describe('leases that run while the site is edited', () => {
  for (const { what, before, held, after, asks } of rows) {
    for (const how of ['reload', 'restart', 'restart over a state of an earlier release'] as const) {
      // What no pool lends was kept: an earlier release did not record more.
      if (how.endsWith('release') && what.includes('the address lies in a pool')) continue;
      test(`${what} (${how})`, () => {
        const book = new LeaseBook();
        book.configure(before);
        for (const [who, address, through] of held) bind(before, book, who, address, through);
        const inForce = how === 'reload' ? book : restarted(book, after, how !== 'restart');
        inForce.configure(after);
        for (const [who, each, expected] of asks) assert.equal(told(ask(after, inForce, who, each)), expected);
      });
    }
  }

  function restarted(book: LeaseBook, site: DhcpSite, isOld: boolean): LeaseBook {
    const next = new LeaseBook();
    next.configure(site);
    const withoutMark = ({ reserved: _, ...lease }: Lease): Lease => lease;
    next.load([...book.leases()].map((lease) => (isOld ? withoutMark(lease) : lease)));
    return next;
  }

  test('an address that was tried for a node and offered is the node’s, whosever lease runs', () => {
    const book = new LeaseBook();
    book.configure(node01);
    bind(node01, book, A, '10.0.0.51');
    const after = probing(replaced, 'arp');
    book.configure(after);
    assert.equal(told(ask(after, book, NEW_CARD, { type: 'request', said: taking('10.0.0.51') })).slice(0, 3), 'nak');
    book.offer('rack', NEW_CARD, ip('10.0.0.51'), T0 + 1000);
    const taken = ask(after, book, NEW_CARD, { type: 'request', said: taking('10.0.0.51') });
    assert.equal(told(taken), 'ack 10.0.0.51 of rack');
    assert.ok(taken.kind === 'ack' && !taken.needsRecord && taken.lease.reserved);
    book.put(taken.lease);
    assert.match(told(ask(after, book, A, renewing('10.0.0.51'))), /^nak/);
    assert.equal(told(ask(after, book, NEW_CARD, DISCOVER)), 'offer 10.0.0.51 of rack');
  });

  test('offers that are out go with their network', () => {
    const book = new LeaseBook();
    book.configure(openRack);
    book.offer('rack', STRANGER, ip('10.0.0.150'), T0);
    const after = siteOf([{ ...rack, name: 'cluster' }]);
    book.configure(after);
    assert.equal(book.offerOf('cluster', STRANGER)?.ip, ip('10.0.0.150'));
    assert.equal(
      told(ask(after, book, STRANGER, { type: 'request', said: taking('10.0.0.150') })),
      'ack 10.0.0.150 of cluster',
    );
  });

  test('says which leases have no place any more, and takes them in again with their network', () => {
    const book = new LeaseBook();
    book.configure(openRack);
    bind(openRack, book, STRANGER, '10.0.0.150');
    bind(openRack, book, A, '10.7.0.15', 'br7');
    const addresses = (leases: readonly Lease[]) => leases.map((lease) => formatIpv4(lease.ip));
    const misplaced = (now = T0) => {
      const { nowhere, unlent } = book.misplaced(now);
      return [addresses(nowhere), addresses(unlent)];
    };
    assert.deepEqual(misplaced(), [[], []]);
    assert.deepEqual(book.configure(siteOf([{ ...rack, pools: [] }])), []);
    assert.deepEqual(misplaced(), [['10.7.0.15'], ['10.0.0.150']]);
    assert.deepEqual(misplaced(T0 + 7_200_000), [[], []], 'what is over needs no place');
    assert.deepEqual(book.configure(siteOf([rack, { ...far, name: 'near' }])), [ip('10.7.0.15')]);
    assert.deepEqual(misplaced(), [[], []]);
    assert.equal(book.leaseOf('near', A)?.ip, ip('10.7.0.15'));
  });

  test('a lease that the disk did not take while its network was renamed is taken back', () => {
    const book = new LeaseBook();
    book.configure(openRack);
    const lease = (address: string, start: number): Lease => ({
      ip: ip(address),
      mac: A,
      network: 'rack',
      state: 'bound',
      start,
      expires: start + 60_000,
    });
    book.put(lease('10.0.0.110', T0));
    const undo = book.put(lease('10.0.0.111', T0 + 1));
    book.configure(siteOf([{ ...rack, name: 'cluster' }]));
    undo();
    assert.deepEqual(
      [...book.leases()].map(({ ip: address, network }) => [formatIpv4(address), network]),
      [['10.0.0.110', 'cluster']],
    );
    assert.equal(book.leaseOf('cluster', A)?.ip, ip('10.0.0.110'));
  });
});
