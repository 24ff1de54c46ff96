import { formatIpv4, type Ipv4, inSubnet } from '../../net/ipv4.ts';
import type { SiteDraft } from '../draft.ts';
import { draftClasses } from './classes.ts';
import { writtenDuration } from './durations.ts';
import { flagOf, givenBy, numberOf } from './given.ts';
import { machinesOf } from './hosts.ts';
import { type Drafted, draftNetworks } from './networks.ts';
import { draftNodes } from './nodes.ts';
import { draftPools } from './pools.ts';
import { Reading, type Surroundings } from './reading.ts';
import { outline, settingsIn } from './scopes.ts';
import { show } from './show.ts';
import type { Statement } from './tree.ts';

/**
 * Adds what a dhcpd.conf declares to a draft of a site. What has no counterpart, or another meaning, is told in its
 * remarks. Throws IMPORT_INVALID where the configuration contradicts itself.
 */
export function addDhcpd(statements: readonly Statement[], around: Surroundings, draft: SiteDraft): void {
  const reading = new Reading(outline(statements, draft), around, draft);
  const classes = draftClasses(reading);
  const networks = draftNetworks(reading);
  const server = bootServer(networks, reading);
  draftPools(networks, classes, reading);
  const machines = machinesOf(networks, reading);
  draftNodes(machines, reading, (ip) => ip === server || isHere(ip, reading));
  draftServer(reading);
  draftOrder(draft);
  reading.problems.throwAll();
}

/** Whether this machine has the address. */
function isHere(ip: Ipv4, { around }: Reading): boolean {
  return [...around.addresses.values()].some((list) => list.some((one) => one.ip === ip));
}

/**
 * The boot server that this one takes the place of: the one that most hosts name, if the boot files move here. It becomes
 * the server's address in its network.
 */
function bootServer(networks: readonly Drafted[], reading: Reading): Ipv4 | undefined {
  if (!reading.around.tree) return undefined;
  const counts = new Map<Ipv4, number>();
  for (const { scope } of [...reading.outline.hosts, ...networks.map(({ subnet }) => subnet)]) {
    const { nextServer } = givenBy(settingsIn(scope), reading);
    if (nextServer !== undefined) counts.set(nextServer, (counts.get(nextServer) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  if (most === undefined) return undefined;
  const [ip] = most;
  const network = networks.find(({ block }) => inSubnet(block, ip));
  if (network !== undefined && network.text.server === undefined) {
    network.text.server = formatIpv4(ip);
    const why = `taken as this server's own address in network ${network.name}, since the boot files move here`;
    reading.tellOf('changed', network.subnet.statement.place, `next-server ${formatIpv4(ip)}`, why);
  }
  return ip;
}

/** What counts for the server as a whole. */
function draftServer(reading: Reading): void {
  const { outline, draft } = reading;
  const settings = settingsIn(outline.global);
  const [first] = outline.wires;
  const authoritative = settings.get('authoritative');
  if (authoritative?.kind === 'authoritative' && !authoritative.not) reading.tell('taken', authoritative);
  else if (first !== undefined) {
    const why = 'a client that wants an address of no network here is refused (NAK), as with `authoritative`';
    reading.tellOf('changed', authoritative?.place ?? first.place, 'not authoritative', why);
  }

  const ping = settings.get('ping-check');
  if (flagOf(settings, 'ping-check') === false) draft.site.dhcp = { ...draft.site.dhcp, probe: 'off' };
  if (ping !== undefined) reading.tell('taken', ping);
  const seconds = numberOf(settings, 'ping-timeout');
  if (seconds !== undefined && seconds >= 1 && seconds <= 10) {
    draft.site.dhcp = { ...draft.site.dhcp, probeTime: writtenDuration(seconds) };
  }
  if (outline.hosts.length > 0 && flagOf(settings, 'use-host-decl-names') !== true) {
    const [host] = outline.hosts;
    const why = 'every node is told its name (option 12) if its client asks, as with `use-host-decl-names on`';
    if (host !== undefined) reading.tellOf('changed', host.place, 'hosts without a host-name', why);
  }
  const log = settings.get('log-facility');
  if (log !== undefined)
    reading.tellOf('left', log.place, show(log), 'logs go to standard error, which the journal keeps');
}

/** The sections of a site in the order of reading: where, who, what. */
function draftOrder(draft: SiteDraft): void {
  const { site } = draft;
  const { networks, classes, profiles, nodes } = site;
  for (const key of ['networks', 'classes', 'profiles', 'nodes'] as const) delete site[key];
  Object.assign(site, { networks, classes, profiles, nodes });
  for (const key of ['networks', 'classes', 'profiles', 'nodes'] as const)
    if (site[key] === undefined) delete site[key];
}
