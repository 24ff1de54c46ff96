import { FACILITIES } from '../../log/facility.ts';
import type { SiteDraft } from '../draft.ts';
import { Classes } from './classes.ts';
import { whereFrom } from './comments.ts';
import { tellRest } from './complete.ts';
import { writtenDuration } from './durations.ts';
import { dropUnfit } from './fit.ts';
import { type Machine, machinesOf, refusedMacs, toldName } from './hosts.ts';
import { draftNetworks, saysLease } from './networks.ts';
import { draftNodes } from './nodes.ts';
import { denyEverywhere, draftPools } from './pools.ts';
import { Reading, type Surroundings } from './reading.ts';
import { chainOf, isOfHosts, outline, type Setting, settingsIn } from './scopes.ts';
import { show } from './show.ts';
import type { Statement } from './tree.ts';
import { flagOf, numberOf, wordOf } from './words.ts';

/**
 * Adds what a dhcpd.conf declares to a draft of a site. What has no counterpart, or another meaning, is told in its
 * remarks. Throws IMPORT_INVALID where the configuration contradicts itself.
 */
export function addDhcpd(statements: readonly Statement[], around: Surroundings, draft: SiteDraft): void {
  const reading = new Reading(outline(statements, draft), around, draft);
  const classes = new Classes(reading);
  draftChoicesForAll(classes, reading);
  classes.declared();
  const networks = draftNetworks(reading);
  draftPools(networks, classes.drafted, reading);
  const refused = [...new Set(refusedMacs(reading))];
  if (refused.length > 0) denyEverywhere(networks, classes.refused(refused));
  const machines = machinesOf(networks, reading);
  draftChoicesForHosts(machines, classes, reading);
  draftNodes(machines, reading);
  draftServer(reading);
  dropUnfit(reading);
  tellRest(reading);
  reading.problems.throwAll();
}

/** What is chosen by what clients say of themselves, for all of them or those of a network. */
function draftChoicesForAll(classes: Classes, reading: Reading): void {
  const { scopes, wires } = reading.outline;
  const around = new Set(wires.flatMap(({ subnets }) => subnets.flatMap(({ scope }) => chainOf(scope))));
  for (const scope of scopes) {
    if (scope.choices.length === 0 || (!around.has(scope) && scope.kind !== 'pool')) continue;
    if (scope.kind !== 'global' && wires.length > 1) {
      const why = 'a class counts in all networks, not in this one only';
      for (const { statement } of scope.choices) reading.tell('changed', statement, why);
    }
    classes.choices(scope, {});
  }
}

/** What is chosen for the hosts of a group, or for one. */
function draftChoicesForHosts(machines: readonly Machine[], classes: Classes, reading: Reading): void {
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
  const untold = outline.hosts.find((host) => toldName(host) === undefined);
  if (untold !== undefined) {
    const why = 'every node is told its name (option 12) if its client asks, as with `use-host-decl-names on`';
    reading.tellOf('changed', untold.place, 'hosts without a host-name', why);
  }
  const log = settings.get('log-facility');
  if (log !== undefined) draftLog(log, reading);
}

function draftLog(setting: Setting, reading: Reading): void {
  const word = wordOf(setting)?.toLowerCase();
  const facility = FACILITIES.find((one) => one === word);
  if (facility === undefined) reading.tell('left', setting, 'the facility is not one of syslog: write `log:`');
  else {
    reading.draft.site.log = { syslog: facility };
    reading.draft.comment(['log'], whereFrom(setting.place, show(setting)));
  }
}
