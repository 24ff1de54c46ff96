import {
  broadcastOf,
  formatIpv4,
  type Ipv4,
  type Ipv4Range,
  inRange,
  inSubnet,
  parseIpv4,
} from '../../../model/ipv4.ts';
import { OPTION } from '../../../model/options.ts';
import { rangeWords } from '../../../site/pools.ts';
import { invalid } from '../../invalid.ts';
import { reason, type Why } from '../../reason.ts';
import { blockOf } from '../meaning/blocks.ts';
import { noteCarried } from '../meaning/carried.ts';
import { addressesOf, givenBy, namesFile } from '../meaning/given.ts';
import { leaseOf, saysLease } from '../meaning/lending.ts';
import type { Reading, WrittenPart } from '../meaning/reading.ts';
import { type Pool, type Setting, settingsIn, type Wire } from '../meaning/scopes.ts';
import { flagOf } from '../meaning/words.ts';
import type { Statement, StatementOf } from '../text/tree.ts';
import { Apart } from './apart.ts';
import type { DraftedClasses } from './classes.ts';
import type { Drafted, NetworkText } from './networks.ts';
import { optionsText } from './optionsText.ts';

type PoolText = NonNullable<NetworkText['pools']>[number];

/** Who may draw from a pool, and the statements that say so. */
type Members = { readonly text: Pick<PoolText, 'allow' | 'deny'>; readonly from: readonly Statement[] };

/** Writes the pools into their networks: a pool of a shared network into each whose addresses it has. */
export function draftPools(networks: readonly Drafted[], classes: DraftedClasses, reading: Reading): void {
  const seen = new Apart<StatementOf<'range'>>();
  const byWire = networksByWire(networks);
  for (const pool of reading.outline.pools) {
    const members = reading.attempt(() => membersOf(pool, classes, reading));
    const byNetwork = new Map<Drafted, { readonly parts: Ipv4Range[]; readonly from: Statement[] }>();
    for (const statement of pool.ranges) {
      const found = reading.attempt(() => rangeOf(statement, pool, byWire.get(pool.wire) ?? [], reading));
      if (found === undefined) continue;
      const twin = seen.add(found.range, statement);
      if (twin !== undefined) {
        const { file, line } = twin.place;
        reading.problems.add(invalid(statement.place, `this range overlaps that of ${file}:${line}`));
        continue;
      }
      const { parts, from } = byNetwork.get(found.network) ?? { parts: [], from: [] };
      parts.push(...withoutTaken(found.range, found.network, statement, reading));
      from.push(statement);
      byNetwork.set(found.network, { parts, from });
    }
    if (members === undefined) continue;
    for (const [network, { parts: ranges, from }] of byNetwork) {
      if (ranges.length === 0) continue;
      const own = ownSettings(pool, network, reading);
      const at = ['networks', network.name, 'pools', network.text.pools?.length ?? 0];
      network.text.pools = [...(network.text.pools ?? []), { ...rangeText(ranges), ...members.text, ...own.text }];
      for (const statement of [...from, ...members.from]) reading.stands(statement, at);
      reading.standParts(at, own.parts);
    }
  }
}

function networksByWire(networks: readonly Drafted[]): ReadonlyMap<Wire, readonly Drafted[]> {
  const all = new Map<Wire, Drafted[]>();
  for (const network of networks) {
    for (const wire of network.subnet.wires) {
      const own = all.get(wire);
      if (own === undefined) all.set(wire, [network]);
      else own.push(network);
    }
  }
  return all;
}

function rangeText(ranges: readonly Ipv4Range[]): Pick<PoolText, 'range'> {
  const words = ranges.map(rangeWords);
  const [first] = words;
  return { range: first !== undefined && words.length === 1 ? first : words };
}

/** A range and the network that it lies in; `undefined`, and reported, if its subnet is left out. Throws IMPORT_INVALID. */
function rangeOf(
  statement: StatementOf<'range'>,
  pool: Pool,
  own: readonly Drafted[],
  reading: Reading,
): { readonly network: Drafted; readonly range: Ipv4Range } | undefined {
  const [a, b] = [statement.first, statement.last].map(({ text, place }) => {
    const ip = parseIpv4(text) ?? reading.context.resolved.get(text);
    if (ip === undefined) throw invalid(place, `"${text}" has no address here`, 'write the address');
    return ip;
  });
  // dhcpd takes the ends in either order.
  const range = { first: Math.min(a ?? 0, b ?? 0) as Ipv4, last: Math.max(a ?? 0, b ?? 0) as Ipv4 };
  const network = own.find(({ block }) => inSubnet(block, range.first));
  if (network !== undefined && inSubnet(network.block, range.last)) return { network, range };
  if (isOfLeftOut(range, pool, own, reading)) {
    reading.tell('left', statement, 'its subnet is left out');
    return undefined;
  }
  throw invalid(
    statement.place,
    `range ${rangeWords(range)} lies in no subnet here`,
    `subnets: ${own.map(({ text }) => text.subnet).join(', ')}`,
  );
}

function isOfLeftOut(range: Ipv4Range, { wire }: Pool, own: readonly Drafted[], reading: Reading): boolean {
  const left = wire.subnets.filter((subnet) => !own.some((network) => network.subnet === subnet));
  return left.some((subnet) => {
    const block = reading.attempt(() => blockOf(subnet, reading));
    return block === undefined || (inSubnet(block, range.first) && inSubnet(block, range.last));
  });
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
    reading.tell('changed', statement, reason`${formatIpv4(ip)} is ${whose} and is left out of the pool`);
  }
  return parts;
}

function around(range: Ipv4Range, ip: Ipv4): Ipv4Range[] {
  if (!inRange(range, ip)) return [range];
  const before = { first: range.first, last: (ip - 1) as Ipv4 };
  const after = { first: (ip + 1) as Ipv4, last: range.last };
  return [before, after].filter(({ first, last }) => first <= last);
}

/** Who may draw from the pool; `undefined`, and reported, if nobody does. */
function membersOf(pool: Pool, classes: DraftedClasses, reading: Reading): Members | undefined {
  const allow: string[] = [];
  const deny: string[] = [];
  const from: Statement[] = [...pool.permits];
  let allows = false;
  for (const permit of pool.permits) {
    const members = memberWords(permit, classes, reading);
    if (permit.verb === 'allow') {
      allows = true;
      allow.push(...members);
    } else deny.push(...members);
  }
  const settings = settingsIn(pool.scope);
  const strangers = settings.get('allow unknown-clients');
  const unbooted = settings.get('boot-unknown-clients');
  for (const setting of [strangers, unbooted]) if (setting !== undefined) from.push(setting);
  const closed = strangers?.kind === 'permit' && strangers.verb !== 'allow';
  if (closed || flagOf(settings, 'boot-unknown-clients') === false) deny.push('unknown');

  const denied = new Set(deny);
  const allowed = new Set(allow.filter((member) => !denied.has(member)));
  const booting = settings.get('allow booting');
  if (booting?.kind === 'permit' && booting.verb !== 'allow') {
    const why = 'its pools are left out, so that they give nothing; nodes in it are answered all the same';
    reading.tell('changed', booting, why);
    return leavePoolOut(pool, 'booting is denied to its clients', reading);
  }
  if (allows && allowed.size === 0) return leavePoolOut(pool, 'no client may draw from it', reading);
  if (denied.has('any')) {
    return leavePoolOut(pool, 'it denies all clients: write it when it is to be used', reading);
  }
  // `deny unknown` alone is `allow: known`, and the other way round.
  if (allowed.size === 0 && denied.size === 1) {
    if (denied.has('unknown')) return { text: { allow: 'known' }, from };
    if (denied.has('known')) return { text: { allow: 'unknown' }, from };
  }
  if (allowed.has('known')) denied.delete('unknown');
  const list = allowed.has('any') || allowed.size === 0 ? ['any'] : [...allowed];
  const text = {
    allow: list.length === 1 ? (list[0] ?? 'any') : list,
    ...(denied.size === 0 ? {} : { deny: denied.size === 1 ? ([...denied][0] ?? '') : [...denied] }),
  };
  return { text, from };
}

function leavePoolOut(pool: Pool, why: Why, reading: Reading): undefined {
  reading.tellOf('left', pool.place, 'pool', why);
  const within = 'its pool is left out';
  for (const statement of [...pool.ranges, ...pool.permits]) reading.because(statement, within);
  if (pool.scope.kind === 'pool') reading.leaveOut(pool.scope, within);
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
      const names = classes.get(what.of);
      if (names === undefined) throw invalid(permit.place, `there is no class "${what.of}"`);
      if (names.length > 0) return names;
      const why = permit.verb === 'allow' ? 'no client is let in by it' : 'no client is kept out by it';
      reading.tell(
        'changed',
        permit,
        reason`class ${what.of} is left out, so ${why}: write the class and name it in the pool`,
      );
      return [];
    }
    case 'dynamic-bootp':
      reading.tell(
        'left',
        permit,
        'BOOTP is answered for nodes that have an address of their own, and for no other machine',
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

/** What the pool itself sets: its lease time, its boot server and file, its options. */
function ownSettings(
  pool: Pool,
  network: Drafted,
  reading: Reading,
): { readonly text: Partial<PoolText>; readonly parts: readonly WrittenPart[] } {
  if (pool.scope.kind !== 'pool') return { text: {}, parts: [] };
  const settings = settingsIn(pool.scope, ({ kind }) => kind === 'pool');
  const ofPool = new Map([...network.settings, ...settings]);
  const { nextServer, bootFile, options } = givenBy(settings, reading, ofPool);
  noteCarried(options, undefined, reading);
  const written = optionsText(options, reading);
  const parts: WrittenPart[] = [...written.parts];
  const isSaid = nextServer !== undefined && !reading.isImplied(nextServer.ip, namesFile(ofPool));
  if (nextServer !== undefined) parts.push({ from: nextServer.from, key: isSaid ? ['nextServer'] : [] });
  if (bootFile !== undefined) parts.push({ from: bootFile.from, key: ['bootFile'] });
  const lease = saysLease(settings) ? lendingOf(ofPool, network, reading) : { text: {}, parts: [] };
  return {
    text: {
      ...lease.text,
      ...(isSaid ? { nextServer: formatIpv4(nextServer.ip) } : {}),
      ...(bootFile === undefined ? {} : { bootFile: bootFile.file }),
      ...(written.text === undefined ? {} : { options: written.text }),
    },
    parts: [...parts, ...lease.parts],
  };
}

/** All of the lease times, since one that stands there does away with the network's bounds; nothing if they are the same. */
function lendingOf(
  settings: ReadonlyMap<string, Setting>,
  network: Drafted,
  reading: Reading,
): { readonly text: Partial<PoolText>; readonly parts: readonly WrittenPart[] } {
  const { text, parts } = leaseOf(settings);
  const isSame = (['lease', 'minLease', 'maxLease'] as const).every((key) => text[key] === network.text[key]);
  if (!isSame) return { text, parts };
  reading.standParts(['networks', network.name], parts);
  return { text: {}, parts: [] };
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
