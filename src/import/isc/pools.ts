import { OPTION } from '../../dhcp/options.ts';
import { broadcastOf, formatIpv4, type Ipv4, type Ipv4Range, inRange, inSubnet, parseIpv4 } from '../../net/ipv4.ts';
import { rangeWords } from '../../site/pools.ts';
import { invalid } from '../invalid.ts';
import type { DraftedClasses } from './classes.ts';
import { addressesOf, givenBy } from './given.ts';
import { type Drafted, leaseOf, type NetworkText, optionsText, saysLease } from './networks.ts';
import type { Reading } from './reading.ts';
import { type Pool, settingsIn } from './scopes.ts';
import type { StatementOf } from './tree.ts';
import { flagOf } from './words.ts';

type PoolText = NonNullable<NetworkText['pools']>[number];

/** Writes the pools into their networks: a pool of a shared network into each whose addresses it has. */
export function draftPools(networks: readonly Drafted[], classes: DraftedClasses, reading: Reading): void {
  const seen: { readonly range: Ipv4Range; readonly from: StatementOf<'range'> }[] = [];
  for (const pool of reading.outline.pools) {
    const members = reading.attempt(() => membersOf(pool, classes, reading));
    const byNetwork = new Map<Drafted, Ipv4Range[]>();
    for (const statement of pool.ranges) {
      const found = reading.attempt(() => rangeOf(statement, pool, networks, reading));
      if (found === undefined) continue;
      const twin = seen.find(({ range }) => range.first <= found.range.last && found.range.first <= range.last);
      if (twin !== undefined) {
        const { file, line } = twin.from.place;
        reading.problems.add(invalid(statement.place, `this range overlaps that of ${file}:${line}`));
        continue;
      }
      seen.push({ range: found.range, from: statement });
      const kept = withoutTaken(found.range, found.network, statement, reading);
      byNetwork.set(found.network, [...(byNetwork.get(found.network) ?? []), ...kept]);
      if (members !== undefined) reading.tell('taken', statement, `pool of network ${found.network.name}`);
    }
    if (members === undefined) continue;
    for (const [network, ranges] of byNetwork) {
      if (ranges.length === 0) continue;
      const text: PoolText = { ...rangeText(ranges), ...members, ...ownSettings(pool, network, reading) };
      network.text.pools = [...(network.text.pools ?? []), text];
    }
  }
}

function rangeText(ranges: readonly Ipv4Range[]): Pick<PoolText, 'range'> {
  const words = ranges.map(rangeWords);
  const [first] = words;
  return { range: first !== undefined && words.length === 1 ? first : words };
}

function rangeOf(
  statement: StatementOf<'range'>,
  pool: Pool,
  networks: readonly Drafted[],
  { around }: Reading,
): { readonly network: Drafted; readonly range: Ipv4Range } {
  const [a, b] = [statement.first, statement.last].map(({ text, place }) => {
    const ip = parseIpv4(text) ?? around.resolved.get(text);
    if (ip === undefined) throw invalid(place, `"${text}" has no address here`, 'write the address');
    return ip;
  });
  // dhcpd takes the ends in either order.
  const range = { first: Math.min(a ?? 0, b ?? 0) as Ipv4, last: Math.max(a ?? 0, b ?? 0) as Ipv4 };
  const network = networks.find(({ subnet, block }) => subnet.wire === pool.wire && inSubnet(block, range.first));
  if (network === undefined || !inSubnet(network.block, range.last)) {
    const subnets = networks.filter(({ subnet }) => subnet.wire === pool.wire).map(({ text }) => text.subnet);
    throw invalid(
      statement.place,
      `range ${rangeWords(range)} lies in no subnet here`,
      `subnets: ${subnets.join(', ')}`,
    );
  }
  return { network, range };
}

/** The parts of a range around the addresses that no client may have. */
function withoutTaken(
  range: Ipv4Range,
  { block, text, given }: Drafted,
  statement: StatementOf<'range'>,
  reading: Reading,
): readonly Ipv4Range[] {
  const taken: [Ipv4 | undefined, string][] = [
    ...addressesOf(given.options.get(OPTION.routers.code)).map((ip): [Ipv4 | undefined, string] => [
      parseIpv4(ip),
      "a router's",
    ]),
    [text.broadcast === undefined ? undefined : parseIpv4(text.broadcast), 'for broadcasts'],
    [text.server === undefined ? undefined : parseIpv4(text.server), "this server's"],
  ];
  if (block.prefix <= 30) taken.push([block.base as Ipv4, "the network's own"], [broadcastOf(block), 'for broadcasts']);
  let parts = [range];
  for (const [ip, whose] of taken) {
    if (ip === undefined || !parts.some((part) => inRange(part, ip))) continue;
    parts = parts.flatMap((part) => around(part, ip));
    reading.tell('changed', statement, `${formatIpv4(ip)} is ${whose} and is left out of the pool`);
  }
  return parts;
}

function around(range: Ipv4Range, ip: Ipv4): Ipv4Range[] {
  if (!inRange(range, ip)) return [range];
  const before = { first: range.first, last: (ip - 1) as Ipv4 };
  const after = { first: (ip + 1) as Ipv4, last: range.last };
  return [before, after].filter(({ first, last }) => first <= last);
}

/** Who may draw from the pool; `undefined` if nobody does. */
function membersOf(
  pool: Pool,
  classes: DraftedClasses,
  reading: Reading,
): Pick<PoolText, 'allow' | 'deny'> | undefined {
  const allow: string[] = [];
  const deny: string[] = [];
  let allows = false;
  for (const permit of pool.permits) {
    const members = memberWords(permit, classes, reading);
    if (permit.verb === 'allow') {
      allows = true;
      allow.push(...members);
    } else deny.push(...members);
  }
  const strangers = settingsIn(pool.scope).get('allow unknown-clients');
  const closed = strangers?.kind === 'permit' && strangers.verb !== 'allow';
  const unbooted = flagOf(settingsIn(pool.scope), 'boot-unknown-clients') === false;
  if (closed) reading.tell('taken', strangers, 'pools for known nodes only');
  if (closed || unbooted) deny.push('unknown');

  const denied = new Set(deny);
  const allowed = new Set(allow.filter((member) => !denied.has(member)));
  if (allows && allowed.size === 0) {
    reading.tellOf('left', pool.place, 'pool', 'nobody may draw from it');
    return undefined;
  }
  if (denied.has('any')) {
    reading.tellOf('left', pool.place, 'pool', 'it denies all clients: write it when it is to be used');
    return undefined;
  }
  // `deny unknown` alone is `allow: known`, and the other way round.
  if (allowed.size === 0 && denied.size === 1) {
    if (denied.has('unknown')) return { allow: 'known' };
    if (denied.has('known')) return { allow: 'unknown' };
  }
  if (allowed.has('known')) denied.delete('unknown');
  const list = allowed.has('any') || allowed.size === 0 ? ['any'] : [...allowed];
  return {
    allow: list.length === 1 ? (list[0] ?? 'any') : list,
    ...(denied.size === 0 ? {} : { deny: denied.size === 1 ? ([...denied][0] ?? '') : [...denied] }),
  };
}

/** What a permit says in the words of a site; nothing of those that no client of ours can fit. */
function memberWords(permit: StatementOf<'permit'>, classes: DraftedClasses, reading: Reading): readonly string[] {
  const { what } = permit;
  switch (what.kind) {
    case 'known':
    case 'unknown':
      return [what.kind];
    case 'all':
    case 'unauthenticated':
      return ['any'];
    case 'members': {
      const names = classes.get(what.of.toLowerCase());
      if (names === undefined) throw invalid(permit.place, `there is no class "${what.of}"`);
      if (names.length > 0) return names;
      const why = permit.verb === 'allow' ? 'nobody gets in by it' : 'nobody is kept out by it';
      reading.tell(
        'changed',
        permit,
        `class ${what.of} is left out, so ${why}: write the class and name it in the pool`,
      );
      return [];
    }
    case 'dynamic-bootp':
      reading.tell(
        'left',
        permit,
        'BOOTP is answered for nodes that have an address of their own, and for nobody else',
      );
      return [];
    case 'authenticated':
      reading.tell('left', permit, 'DHCP authentication is not offered');
      return [];
    case 'after':
      reading.tell('left', permit, 'pools do not change by the clock: edit the site at that time');
      return [];
    case 'flag':
      return [];
  }
}

/** What the pool itself sets: its lease time and its options. */
function ownSettings(
  pool: Pool,
  network: Drafted,
  reading: Reading,
): Pick<PoolText, 'lease' | 'minLease' | 'maxLease' | 'options'> {
  if (pool.scope.kind !== 'pool') return {};
  const settings = settingsIn(pool.scope, ({ kind }) => kind === 'pool');
  const given = givenBy(settings, reading);
  const options = optionsText(given.options, reading);
  for (const key of ['filename', 'next-server']) {
    const setting = settings.get(key);
    if (setting !== undefined)
      reading.tell('left', setting, 'a pool has no boot file: write it on a class or on the nodes');
  }
  return {
    ...(saysLease(settings) ? withoutSame(leaseOf(settingsIn(pool.scope)), network.text) : {}),
    ...(options === undefined ? {} : { options }),
  };
}

/** All of the lease times, since one that stands there does away with the network's bounds; nothing if they are the same. */
function withoutSame(own: ReturnType<typeof leaseOf>, network: NetworkText): object {
  const isSame = (['lease', 'minLease', 'maxLease'] as const).every((key) => own[key] === network[key]);
  return isSame ? {} : own;
}

/** Keeps the members of a class out of every pool. */
export function denyEverywhere(networks: readonly Drafted[], name: string): void {
  for (const { text } of networks) {
    text.pools = text.pools?.map((pool) => ({
      ...pool,
      deny: pool.deny === undefined ? name : [pool.deny, name].flat(),
    }));
  }
}
