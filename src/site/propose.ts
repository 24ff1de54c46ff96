import { ReveilleError } from '../errors.ts';
import { formatSubnet, type Ipv4, inRange, inSubnet } from '../model/ipv4.ts';
import type { Network } from '../model/network.ts';
import type { SiteNode } from '../model/node.ts';
import { isHost } from './networks.ts';
import { familyOf } from './nodeText.ts';
import type { Site } from './site.ts';

/**
 * The name after the last one of the largest family: `node17` where most are called node01 to node16. `node01` if no name ends in
 * a number.
 */
export function nextName(names: Iterable<string>): string {
  const numbered = [...names].filter((name) => /[0-9]$/.test(name));
  const families = [...Map.groupBy(numbered, familyOf).values()];
  const [largest] = families.toSorted((a, b) => b.length - a.length);
  const last = largest?.toSorted(byNumbers).at(-1);
  if (last === undefined) return 'node01';
  return last.replace(/[0-9]+$/, (digits) => String(Number(digits) + 1).padStart(digits.length, '0'));
}

/** Whether there are nodes with addresses that are named like `name`. */
export function hasKin(site: Site, name: string): boolean {
  return kinOf(site, name) !== undefined;
}

function kinOf(site: Site, name: string): SiteNode | undefined {
  const family = familyOf(name);
  return [...site.nodes.values()].findLast((node) => node.network !== undefined && familyOf(node.name) === family);
}

/** The network that a new node `name` most likely belongs in: that of nodes with similar names, else the only one. */
export function likelyNetwork(site: Site, name: string): Network {
  const found = site.networks.get(kinOf(site, name)?.network ?? '');
  if (found) return found;
  const [only, ...others] = site.networks.values();
  if (only && others.length === 0) return only;
  const names = [...site.networks.keys()].join(', ');
  throw new ReveilleError('SITE_INVALID', `which network ${name} belongs in is not clear`, {
    hint: only ? `name it with --network: ${names}` : 'declare a network first',
  });
}

/**
 * The next `count` free addresses of a network: above those of the nodes with names similar to `name`, else from its beginning.
 * Pools, reservations, `reserved` and the addresses that the network itself names are not free. Throws SITE_INVALID if there are
 * fewer.
 */
export function nextAddresses(
  site: Site,
  network: Network,
  name: string,
  count: number,
  reserved: Iterable<Ipv4> = [],
): readonly Ipv4[] {
  const { subnet, server, gateway, dns, ntp, routes } = network;
  const taken = new Set<Ipv4 | undefined>([
    server,
    gateway,
    ...dns,
    ...ntp,
    ...routes.map(({ via }) => via),
    ...site.awaited.keys(),
    ...reserved,
  ]);
  const family = familyOf(name);
  let start = subnet.base;
  for (const node of site.nodes.values()) {
    if (node.ip === undefined || !inSubnet(subnet, node.ip)) continue;
    taken.add(node.ip);
    if (familyOf(node.name) === family && node.ip >= start) start = (node.ip + 1) as Ipv4;
  }
  const found: Ipv4[] = [];
  const search = (from: number, to: number): void => {
    for (let at = from; found.length < count && at < to && inSubnet(subnet, at as Ipv4); at++) {
      const ip = at as Ipv4;
      const pool = network.pools.find(({ range }) => inRange(range, ip));
      if (pool) at = pool.range.last;
      else if (!taken.has(ip) && isHost(network, ip)) found.push(ip);
    }
  };
  search(start, Number.POSITIVE_INFINITY);
  search(subnet.base, start);
  if (found.length === count) return found;
  throw new ReveilleError(
    'SITE_INVALID',
    `network ${network.name} (${formatSubnet(subnet)}) has ${found.length} free addresses, ${count} are needed`,
    { hint: 'make a pool smaller, or name addresses with --ip' },
  );
}

function byNumbers(a: string, b: string): number {
  return collator.compare(a, b);
}

const collator = new Intl.Collator('en', { numeric: true });
