import { formatIpv4, type Ipv4, inRange, inSubnet, parseIpv4 } from '../../model/ipv4.ts';
import type { Lease } from '../../model/lease.ts';
import { type Mac, macFromBytes } from '../../model/mac.ts';
import type { Site } from '../../site/site.ts';
import type { SiteDraft } from '../draft.ts';
import { invalid, Problems } from '../invalid.ts';
import { reason, type Why } from '../reason.ts';
import { textBytes } from './meaning/optionValues.ts';
import { Cursor } from './text/cursor.ts';
import { hexBytes, readDatum } from './text/data.ts';
import { leaseTime } from './text/leaseTime.ts';
import type { Token } from './text/lexer.ts';

/** One `lease` block of dhcpd.leases: what dhcpd last wrote of an address. Times are milliseconds since the epoch. */
export type WrittenLease = {
  readonly ip: Ipv4;
  readonly place: Token['place'];
  readonly starts?: number;
  /** `Infinity`: never. */
  readonly ends?: number;
  readonly state: string;
  readonly mac?: Mac;
  readonly clientId?: Uint8Array;
  readonly hostname?: string;
};

/**
 * Reads dhcpd.leases, each byte of the file one character of `text`. dhcpd appends to it, so that the last block of an
 * address counts. Throws IMPORT_INVALID for text that is no lease file; statements of other kinds are passed over.
 */
export function parseLeases(file: string, text: string): readonly WrittenLease[] {
  const cursor = new Cursor(file, text);
  const leases = new Map<Ipv4, WrittenLease>();
  const problems = new Problems();
  while (cursor.peek().kind !== 'end') {
    try {
      const start = cursor.peek();
      if (start.kind !== 'word') throw cursor.expected('a statement of dhcpd.leases');
      if (cursor.skip('lease')) {
        const lease = readLease(cursor, start.place);
        // The last one counts, and stands where it was written.
        leases.delete(lease.ip);
        leases.set(lease.ip, lease);
      } else cursor.recover();
    } catch (problem) {
      problems.add(problem);
      cursor.recover();
      cursor.skip('}');
    }
  }
  problems.throwAll();
  return [...leases.values()];
}

type Known = { -readonly [K in keyof WrittenLease]?: WrittenLease[K] };

function readLease(cursor: Cursor, place: Token['place']): WrittenLease {
  const datum = readDatum(cursor, 'an address');
  const ip = parseIpv4(datum.text);
  if (ip === undefined) throw invalid(datum.place, `expected an IPv4 address, found "${datum.text}"`);
  const known: Known = {};
  cursor.expect('{', 'after the address');
  while (!cursor.skip('}')) {
    if (cursor.peek().kind === 'end') throw cursor.expected('"}"', `the lease of line ${place.line} is not closed`);
    readStatement(cursor, known);
  }
  return { state: 'free', ...known, ip, place };
}

function readStatement(cursor: Cursor, known: Known): void {
  const { place } = cursor.peek();
  if (cursor.skip('starts')) assign('starts', leaseTime(cursor));
  else if (cursor.skip('ends')) assign('ends', leaseTime(cursor));
  else if (cursor.skip('binding')) {
    cursor.expect('state', 'after "binding"');
    known.state = cursor.word('a state').toLowerCase();
  } else if (cursor.skip('hardware')) {
    const type = cursor.word('a hardware type').toLowerCase();
    const bytes = hexBytes(readDatum(cursor, 'a hardware address'));
    if (type === 'ethernet' && bytes.length === 6) known.mac = macFromBytes(bytes);
  } else if (cursor.skip('uid')) {
    const datum = readDatum(cursor, 'a client identifier');
    known.clientId = datum.kind === 'text' ? textBytes({ ...datum, escaped: true }) : hexBytes(datum);
  } else if (cursor.skip('client-hostname')) {
    known.hostname = Buffer.from(cursor.text('a host name'), 'latin1').toString();
  } else {
    cursor.recover();
    return;
  }
  cursor.semicolon(place);

  function assign(key: 'starts' | 'ends', value: number | undefined): void {
    if (value !== undefined) known[key] = value;
  }
}

/** The longest time that a lease of ours can last, in milliseconds: what `infinite` stands for. */
const NEVER_ENDS = 0xffffffff * 1000;
const LONGEST_CLIENT_ID = 255;

/**
 * The leases that a site carries on: those that are still held at `now` (ms since the epoch) by a machine with an Ethernet
 * address, in a pool of a network of the site or at their node's own address. What becomes of the others is reported.
 */
export function leasesFor(
  site: Site,
  written: readonly WrittenLease[],
  now: number,
  draft: SiteDraft,
): readonly Lease[] {
  const leases = new Map<string, Lease>();
  for (const { place, ...lease } of written) {
    const told = (why: Why) => draft.remark('left', place, `lease ${formatIpv4(lease.ip)}`, why);
    const expires = Math.min(lease.ends ?? 0, now + NEVER_ENDS);
    if (lease.state !== 'active' || expires <= now) {
      if (lease.state === 'abandoned')
        told('an address that was found in use: it is tried anew before it is given out');
      continue;
    }
    const network = [...site.networks.values()].find(({ subnet }) => inSubnet(subnet, lease.ip));
    const owner = site.nodeByIp.get(lease.ip);
    if (lease.mac === undefined) told('its holder has no Ethernet address');
    else if (network === undefined) told('it lies in no network of the site');
    else if (owner === undefined && !network.pools.some(({ range }) => inRange(range, lease.ip)))
      told('it lies in no pool');
    else if (owner !== undefined && !owner.macs.includes(lease.mac))
      told(reason`the address is kept for ${owner.name}`);
    else {
      const key = `${network.name} ${lease.mac}`;
      const other = leases.get(key);
      if (other !== undefined) {
        const { ip } = other.expires < expires ? other : lease;
        draft.remark(
          'left',
          place,
          `lease ${formatIpv4(ip)}`,
          reason`${lease.mac} has another that ends later, and a machine has one`,
        );
      }
      if (other !== undefined && other.expires >= expires) continue;
      const at = [['networks', network.name]];
      draft.remark('taken', place, `lease ${formatIpv4(lease.ip)}`, `lent to ${lease.mac}`, { at });
      leases.set(key, {
        ip: lease.ip,
        mac: lease.mac,
        network: network.name,
        state: 'bound',
        start: lease.starts ?? now,
        expires,
        ...(lease.clientId === undefined || lease.clientId.length > LONGEST_CLIENT_ID
          ? {}
          : { clientId: lease.clientId }),
        ...(lease.hostname ? { hostname: lease.hostname.replace(/[^\x20-\x7e]/g, '').slice(0, 63) } : {}),
      });
    }
  }
  return [...leases.values()];
}
