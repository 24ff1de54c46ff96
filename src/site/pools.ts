import { broadcastOf, formatIpv4, formatSubnet, type Ipv4, type Ipv4Range, inRange, inSubnet } from '../model/ipv4.ts';
import type { Network, Pool } from '../model/network.ts';
import { type Findings, suggestion } from './finding.ts';
import { readLending } from './lending.ts';
import { readOptions } from './options.ts';
import type { Claim } from './overlap.ts';
import type { PoolDeclaration, SiteDeclaration } from './schema.ts';
import type { Declared } from './shape.ts';
import type { Site } from './site.ts';
import type { Path } from './yaml.ts';

/** The words that `allow` and `deny` take besides the names of classes. */
export const MEMBER_WORDS = ['known', 'unknown', 'any'] as const;

/** The pools of a network: one for each range; a declared pool of several ranges becomes several pools with equal settings. */
export function resolvePools(
  network: string,
  declared: readonly PoolDeclaration[],
  site: Declared<SiteDeclaration>,
  findings: Findings,
): readonly Pool[] {
  const words = [...MEMBER_WORDS, ...site.names(['classes'])];
  return declared.flatMap(({ range: ranges, options, allow, deny, nextServer, bootFile, ...lending }, i) => {
    const at: Path = ['networks', network, 'pools', i];
    for (const [key, members] of [['allow', allow] as const, ['deny', deny] as const]) {
      for (const [j, member] of members.entries()) {
        if (words.includes(member)) continue;
        const place = site.place([...at, key, j]);
        findings.error(place, `there is no class "${member}"`, suggestion(member, words, 'words and classes'));
      }
    }
    const settings = {
      allow,
      deny,
      ...readLending(lending, at, site, findings),
      ...(nextServer === undefined ? {} : { nextServer }),
      ...(bootFile === undefined ? {} : { bootFile }),
      options: readOptions(options, [...at, 'options'], site, findings),
    };
    return ranges.map((range) => ({ range, ...settings }));
  });
}

/** Every pool must lie in its network's subnet and contain no address that is taken. */
export function checkPools(
  network: Network,
  declared: readonly PoolDeclaration[],
  site: Declared<SiteDeclaration>,
  findings: Findings,
): void {
  for (const [i, pool] of declared.entries()) {
    for (const [j, range] of pool.range.entries()) {
      checkRange(network, range, ['networks', network.name, 'pools', i, 'range', j], site, findings);
    }
  }
}

function checkRange(
  network: Network,
  range: Ipv4Range,
  at: Path,
  site: Declared<SiteDeclaration>,
  findings: Findings,
): void {
  const place = site.place(at);
  const words = rangeWords(range);
  if (!inSubnet(network.subnet, range.first) || !inSubnet(network.subnet, range.last)) {
    findings.error(place, `pool ${words} lies outside the subnet ${formatSubnet(network.subnet)}`);
    return;
  }
  for (const [what, ip] of takenAddresses(network)) {
    if (!inRange(range, ip)) continue;
    findings.error(place, `pool ${words} holds ${what} ${formatIpv4(ip)}`, `leave it out: ${splitAround(range, ip)}`);
  }
}

function takenAddresses({ subnet, broadcast, server, gateway }: Network): readonly (readonly [string, Ipv4])[] {
  const taken: [string, Ipv4][] = [];
  if (subnet.prefix <= 30) {
    taken.push(['the network address', subnet.base], ['the broadcast address', broadcast]);
    if (broadcast !== broadcastOf(subnet)) taken.push(["the subnet's last address", broadcastOf(subnet)]);
  }
  if (server !== undefined) taken.push(["this server's address", server]);
  if (gateway !== undefined && gateway !== server) taken.push(["the gateway's address", gateway]);
  return taken;
}

/** The spelling of `range` without `ip`. */
function splitAround({ first, last }: Ipv4Range, ip: Ipv4): string {
  const parts: string[] = [];
  if (ip > first) parts.push(rangeWords({ first, last: (ip - 1) as Ipv4 }));
  if (ip < last) parts.push(rangeWords({ first: (ip + 1) as Ipv4, last }));
  return parts.length === 0 ? 'choose another address' : parts.join(' and ');
}

/** Warns of addresses of nodes in pools: no other machine gets them, so that the pool is smaller than it looks. */
export function warnOfKept(site: Site, declared: Declared<SiteDeclaration>, findings: Findings): void {
  const kept = [...site.nodeByIp].sort(([a], [b]) => a - b);
  for (const { name } of site.networks.values()) {
    const pools = declared.value.networks[name]?.pools ?? [];
    for (const [i, { range: ranges }] of pools.entries()) {
      for (const [j, range] of ranges.entries()) {
        const [first, ...others] = kept.slice(lowest(kept, range.first), lowest(kept, range.last + 1));
        if (!first) continue;
        const [ip, node] = first;
        const more = others.length === 0 ? '' : ` and those of ${others.length} more`;
        const message = `pool ${rangeWords(range)} holds the address of ${node.name}, ${formatIpv4(ip)}${more}`;
        const hint = 'only this node gets it; leave it out of the pool';
        findings.warn(declared.place(['networks', name, 'pools', i, 'range', j]), message, hint);
      }
    }
  }
}

/** The index of the first that begins at or above `ip`. */
function lowest(sorted: readonly (readonly [Ipv4, unknown])[], ip: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.[0] ?? 0) < ip) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The ranges that the pools of a network cover, in the order of the file. */
export function poolClaims(network: string, site: Declared<SiteDeclaration>): readonly Claim[] {
  const pools = site.value.networks[network]?.pools ?? [];
  return pools.flatMap((pool, i) =>
    pool.range.map((range, j) => ({
      range,
      words: `pool ${rangeWords(range)} of network "${network}"`,
      place: () => site.place(['networks', network, 'pools', i, 'range', j]),
    })),
  );
}

/** `10.0.0.200-10.0.0.220`, or one address. */
export function rangeWords({ first, last }: Ipv4Range): string {
  return first === last ? formatIpv4(first) : `${formatIpv4(first)}-${formatIpv4(last)}`;
}
