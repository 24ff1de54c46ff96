import { FACILITIES } from '../../../log/facility.ts';
import type { SiteDraft } from '../../draft.ts';
import { reason } from '../../reason.ts';
import { tellOfCarried } from '../meaning/carried.ts';
import { whereFrom } from '../meaning/comments.ts';
import { tellRest } from '../meaning/complete.ts';
import { writtenDuration } from '../meaning/durations.ts';
import { dropUnfit } from '../meaning/fit.ts';
import { saysLease } from '../meaning/lending.ts';
import { type DhcpdContext, Reading } from '../meaning/reading.ts';
import { chainOf, isOfHosts, outline, type Setting, settingsIn } from '../meaning/scopes.ts';
import { flagOf, numberOf, wordOf } from '../meaning/words.ts';
import { show } from '../text/show.ts';
import type { Statement } from '../text/tree.ts';
import { Classes } from './classes.ts';
import { type HostNode, hostNodesOf, nameSent, refusalOf, refusedHosts } from './hosts.ts';
import { type Drafted, draftNetworks } from './networks.ts';
import { draftNodes } from './nodes.ts';
import { denyEverywhere, draftPools } from './pools.ts';

/**
 * Adds what a dhcpd.conf declares to a draft of a site. What has no counterpart, or another meaning, is reported in its
 * remarks. Throws IMPORT_INVALID where the configuration contradicts itself.
 */
export function addDhcpd(statements: readonly Statement[], context: DhcpdContext, draft: SiteDraft): void {
  const reading = new Reading(outline(statements, draft), context, draft);
  const classes = new Classes(reading);
  draftChoicesForAll(classes, reading);
  classes.declared();
  const networks = draftNetworks(reading);
  draftPools(networks, classes.drafted, reading);
  draftRefused(networks, classes, reading);
  const machines = hostNodesOf(networks, reading);
  draftChoicesForHosts(machines, classes, reading);
  refuseMembers(networks, reading);
  draftNodes(machines, reading);
  draftServer(networks, reading);
  tellOfCarried(reading);
  dropUnfit(reading);
  tellRest(reading);
  reading.problems.throwAll();
}

/** Hosts that are to be given nothing become a class that every pool denies. */
function draftRefused(networks: readonly Drafted[], classes: Classes, reading: Reading): void {
  const refused = refusedHosts(reading);
  if (refused.length === 0) return;
  const name = classes.refused([...new Set(refused.flatMap(({ macs }) => macs))]);
  denyEverywhere(networks, name);
  for (const { host } of refused) {
    reading.standsOf(host.place, `host ${host.name}`, ['classes', name]);
    const refusal = refusalOf(host);
    if (refusal !== undefined) reading.stands(refusal, ['classes', name]);
    reading.leaveOut(host.scope, 'its host is refused', 'server');
  }
}

/** Classes that say `deny booting`: every pool denies their members. */
function refuseMembers(networks: readonly Drafted[], reading: Reading): void {
  for (const { name, from } of reading.refusing) {
    denyEverywhere(networks, name);
    const why = reason`no pool gives them anything (deny: ${name}); nodes that have an address of their own are answered all the same`;
    reading.tell('changed', from, why);
  }
}

/** What is chosen by what clients say of themselves, for all of them or those of a network. */
function draftChoicesForAll(classes: Classes, reading: Reading): void {
  const { scopes, wires } = reading.outline;
  const around = new Set(wires.flatMap(({ subnets }) => subnets.flatMap(({ scope }) => chainOf(scope))));
  for (const scope of scopes) {
    if (scope.choices.length === 0 || (!around.has(scope) && scope.kind !== 'pool')) continue;
    const isOfAll = scope.kind === 'global' || (scope.kind !== 'pool' && wires.length < 2);
    const where =
      scope.kind === 'pool'
        ? 'for all clients, not for those of this pool only'
        : 'in all networks, not in this one only';
    if (!isOfAll)
      for (const { statement } of scope.choices) reading.tell('changed', statement, reason`a class counts ${where}`);
    classes.choices(scope, {});
  }
}

/** What is chosen for the hosts of a group, or for one. */
function draftChoicesForHosts(machines: readonly HostNode[], classes: Classes, reading: Reading): void {
  const { scopes, wires } = reading.outline;
  const around = new Set(wires.flatMap(({ subnets }) => subnets.flatMap(({ scope }) => chainOf(scope))));
  for (const scope of scopes) {
    if (around.has(scope) || !isOfHosts(scope)) continue;
    const says = scope.choices.length > 0 || saysLease(scope.set);
    const members = says ? machines.filter(({ host }) => chainOf(host.scope).includes(scope)) : [];
    const macs = members.flatMap((machine) => machine.macs);
    if (macs.length === 0) continue;
    classes.leaseOf(scope, macs);
    if (scope.choices.length > 0) classes.choices(scope, { macs });
  }
}

/** What counts for the server as a whole. */
function draftServer(networks: readonly Drafted[], reading: Reading): void {
  const { outline } = reading;
  const settings = settingsIn(outline.global);
  tellOfAuthority(networks, reading);
  draftProbe(settings, reading);
  const untold = outline.hosts.find((host) => nameSent(host) === undefined);
  if (untold !== undefined) {
    const why = 'every node gets its name (option 12) if its client asks, as with `use-host-decl-names on`';
    reading.tellOf('changed', untold.place, 'hosts without a host-name', why);
  }
  const log = settings.get('log-facility');
  if (log !== undefined) draftLog(log, reading);
}

function tellOfAuthority(networks: readonly Drafted[], reading: Reading): void {
  for (const { settings, subnet } of networks) {
    const said = settings.get('authoritative');
    if (said?.kind === 'authoritative' && !said.not) continue;
    const why = 'a client that asks for an address of no network here is refused (NAK), as with `authoritative`';
    reading.tellOf('changed', said?.place ?? subnet.wire.place, 'not authoritative', why);
    return;
  }
}

/** How an address is tried before it is offered. */
function draftProbe(settings: ReadonlyMap<string, Setting>, reading: Reading): void {
  const { draft } = reading;
  const ping = settings.get('ping-check');
  if (ping !== undefined) {
    if (flagOf(settings, 'ping-check') === false) {
      draft.site.dhcp = { ...draft.site.dhcp, probe: 'off' };
      reading.stands(ping, ['dhcp', 'probe']);
    } else reading.tell('changed', ping, 'an address is tried by ARP before it is offered: `dhcp.probe`', 'server');
  }
  const milliseconds = settings.get('ping-timeout-ms');
  const seconds = settings.get('ping-timeout');
  const inMs = numberOf(settings, 'ping-timeout-ms') ?? 0;
  const wanted = inMs > 0 ? inMs : (numberOf(settings, 'ping-timeout') ?? 0) * 1000;
  const from = inMs > 0 ? milliseconds : seconds;
  if (from === undefined) return;
  if (wanted >= 10 && wanted <= 10_000) {
    const probeTime = wanted % 1000 === 0 ? writtenDuration(wanted / 1000) : `${wanted}ms`;
    draft.site.dhcp = { ...draft.site.dhcp, probeTime };
    reading.stands(from, ['dhcp', 'probeTime']);
  } else reading.because(from, '`dhcp.probeTime` is from 10 ms to 10 s', 'server');
}

function draftLog(setting: Setting, reading: Reading): void {
  const word = wordOf(setting)?.toLowerCase();
  const facility = FACILITIES.find((one) => one === word);
  if (facility === undefined)
    reading.tell('left', setting, 'the facility is not one of syslog: write `log:`', 'server');
  else {
    reading.draft.site.log = { syslog: facility };
    reading.stands(setting, ['log', 'syslog']);
    reading.draft.comment(['log'], whereFrom(setting.place, show(setting)));
  }
}
