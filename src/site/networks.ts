import { formatPlace } from '../errors.ts';
import { broadcastOf, formatIpv4, formatSubnet, type Ipv4, inSubnet, type Subnet, UNSPECIFIED } from '../model/ipv4.ts';
import type { Network } from '../model/network.ts';
import type { Findings } from './finding.ts';
import { NAME_PATTERN } from './forms.ts';
import { readLending } from './lending.ts';
import { readOptions } from './options.ts';
import { overlaps } from './overlap.ts';
import { checkPools, poolClaims, rangeWords, resolvePools } from './pools.ts';
import type { NetworkDeclaration, SiteDeclaration } from './schema.ts';
import type { Declared } from './shape.ts';
import type { Path } from './yaml.ts';

/** The networks of a site, their defaults filled in and their addresses checked against each other. */
export function resolveNetworks(site: Declared<SiteDeclaration>, findings: Findings): ReadonlyMap<string, Network> {
  const networks = new Map<string, Network>();
  for (const [name, declared] of Object.entries(site.value.networks)) {
    const at: Path = ['networks', name];
    if (!NAME_PATTERN.test(name)) {
      findings.error(site.keyPlace(at), `"${name}" cannot name a network`, 'use letters, digits, ".", "_" and "-"');
    }
    const network = resolveNetwork(name, declared, site, findings);
    checkAddresses(network, site, findings);
    checkPools(network, declared.pools, site, findings);
    networks.set(name, network);
  }
  checkOverlaps(networks, site, findings);
  warnOfSharedRelays(site, findings);
  return networks;
}

function resolveNetwork(
  name: string,
  { lease, minLease, maxLease, options, pools, ...declared }: NetworkDeclaration,
  site: Declared<SiteDeclaration>,
  findings: Findings,
): Network {
  const at: Path = ['networks', name];
  return {
    ...declared,
    name,
    broadcast: declared.broadcast ?? broadcastOf(declared.subnet),
    ...readLending({ minLease, maxLease, lease }, at, site, findings),
    leaseSeconds: lease,
    pools: resolvePools(name, pools, site, findings),
    options: readOptions(options, [...at, 'options'], site, findings),
  };
}

/** Every address of a network has to lie in its subnet, and no pool may hold one that is taken. */
function checkAddresses(network: Network, site: Declared<SiteDeclaration>, findings: Findings): void {
  const { subnet } = network;
  const at: Path = ['networks', network.name];
  const words = formatSubnet(subnet);

  for (const key of ['server', 'gateway', 'broadcast'] as const) {
    const ip = network[key];
    if (ip === undefined) continue;
    // Relays forward requests to a server in another subnet.
    if (key === 'server' && network.interface === undefined) continue;
    const place = site.place([...at, key]);
    if (!inSubnet(subnet, ip)) findings.error(place, `${key} ${formatIpv4(ip)} lies outside the subnet ${words}`);
    else if (key !== 'broadcast' && !isHost(network, ip))
      findings.error(place, `${key} ${formatIpv4(ip)} is ${hostlessWords(network, ip)} of ${words}`);
  }

  for (const [i, { via }] of network.routes.entries()) {
    if (via === UNSPECIFIED || inSubnet(subnet, via)) continue;
    const message = `router ${formatIpv4(via)} lies outside the subnet ${words}`;
    findings.error(
      site.place([...at, 'routes', i, 'via']),
      message,
      'clients can only reach a router on their own wire',
    );
  }

  if (network.gateway !== undefined && network.routes.length > 0 && !network.routes.some(({ to }) => to.prefix === 0)) {
    const hint = `add { to: 0.0.0.0/0, via: ${formatIpv4(network.gateway)} } to the routes`;
    findings.warn(
      site.place([...at, 'gateway']),
      'clients that take the routes will not use this gateway (RFC 3442)',
      hint,
    );
  }
}

function checkOverlaps(
  networks: ReadonlyMap<string, Network>,
  site: Declared<SiteDeclaration>,
  findings: Findings,
): void {
  const subnets = [...networks.values()].map(({ name, subnet }) => ({
    range: { first: subnet.base, last: broadcastOf(subnet) },
    words: `subnet ${formatSubnet(subnet)} of network "${name}"`,
    place: () => site.place(['networks', name, 'subnet']),
  }));
  const claimed = [...networks.keys()].flatMap((name) => poolClaims(name, site));
  for (const { claim, earlier } of [...overlaps(subnets), ...overlaps(claimed)]) {
    const message = `${claim.words} overlaps ${earlier.words} (${formatPlace(earlier.place())})`;
    findings.error(claim.place(), message, 'an address can belong to one of them only');
  }
}

/** A relay that may serve several networks must name the network in its requests. */
function warnOfSharedRelays(site: Declared<SiteDeclaration>, findings: Findings): void {
  const claims = Object.entries(site.value.networks).flatMap(([name, { relays }]) =>
    relays.map((range, i) => ({
      range,
      words: `relay ${rangeWords(range)} of network "${name}"`,
      place: () => site.place(['networks', name, 'relays', i]),
    })),
  );
  for (const { claim, earlier } of overlaps(claims)) {
    const message = `${claim.words} overlaps ${earlier.words} (${formatPlace(earlier.place())})`;
    const hint = 'it must name the network (option 82, link selection); without that, the first network is used';
    findings.warn(claim.place(), message, hint);
  }
}

/** Whether a machine may have `ip`: neither the network nor the broadcast address (RFC 3021: a /31 has none). */
export function isHost(network: { readonly subnet: Subnet; readonly broadcast: Ipv4 }, ip: Ipv4): boolean {
  return network.subnet.prefix > 30 || (ip !== network.subnet.base && ip !== network.broadcast);
}

/** What `ip` is if it is not a host's address. */
export function hostlessWords({ subnet }: { readonly subnet: Subnet }, ip: Ipv4): string {
  return ip === subnet.base ? 'the network address' : 'the broadcast address';
}
