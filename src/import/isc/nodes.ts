import { OPTION } from '../../dhcp/options.ts';
import { formatIpv4 } from '../../net/ipv4.ts';
import type { SiteText } from '../draft.ts';
import { describe } from './comments.ts';
import { type Given, type GivenOption, givenBy, sameOption } from './given.ts';
import { groupSettings, type Machine, toldName } from './hosts.ts';
import { Names } from './names.ts';
import { type Drafted, optionsText } from './networks.ts';
import type { Reading } from './reading.ts';
import { chainOf, type Scope } from './scopes.ts';

type NodeText = NonNullable<SiteText['nodes']>[string];
type ProfileText = NonNullable<SiteText['profiles']>[string];

/** What several machines share, or one has for itself: how it boots and its options. */
type Shared = Pick<ProfileText, 'loader' | 'nextServer' | 'bootFile' | 'options'>;

/**
 * Writes every machine as a node. What a group of hosts gives, and what at least two hosts give alike, becomes a profile;
 * what the network gives anyway is not said again.
 */
export function draftNodes(machines: readonly Machine[], reading: Reading): void {
  const profiles = new Profiles(reading);
  const names = new Names();
  const written = machines.map((machine) => {
    const { host, network } = machine;
    const group = groupOf(host.scope, network);
    const groupGiven = group === undefined ? NOTHING : givenBy(groupSettings(group, network), reading);
    const own = givenBy(groupSettings(host.scope, network), reading);
    return {
      machine,
      group,
      name: names.take(...namesFor(machine, reading)),
      ofGroup: group === undefined ? undefined : sharedOf(groupGiven, network?.given, false, reading),
      own: sharedOf(own, overlaid(network?.given, groupGiven), group !== undefined, reading),
    };
  });
  for (const { group, ofGroup, own } of written) {
    if (group !== undefined && ofGroup !== undefined) profiles.want(ofGroup, group);
    if (own !== undefined) profiles.want(own);
  }

  for (const { machine, name, group, ofGroup, own } of written) {
    const { host, macs, ip } = machine;
    const used = [group === undefined ? undefined : profiles.name(ofGroup), profiles.name(own)];
    const names = used.filter((profile) => profile !== undefined);
    const [mac = ''] = macs;
    const node: NodeText = {
      mac: macs.length === 1 ? mac : [...macs],
      ...(ip === undefined ? {} : { ip: formatIpv4(ip) }),
      ...(names.length === 0 ? {} : { profiles: names }),
      ...(own !== undefined && profiles.name(own) === undefined ? own : {}),
    };
    const told = otherName(machine, name, reading);
    if (told !== undefined) node.options = { 'host-name': told, ...node.options };
    reading.draft.site.nodes ??= {};
    reading.draft.site.nodes[name] = node;
    reading.from('nodes', name, host.place, `host ${host.name}`);
    reading.tellOf('taken', host.place, `host ${host.name}`, `node ${name}`);
  }
}

/** What its client is told as its name, where that is not the node's name alone. */
function otherName({ host, network }: Machine, name: string, reading: Reading): string | undefined {
  const told = toldName(host);
  if (told === undefined || told === '') return undefined;
  if (told === `${name}.${network?.text.domain}`) {
    const why = `the name alone is told, ${name}; the domain is told as such`;
    reading.tellOf('changed', host.place, `host-name ${told}`, why);
    return undefined;
  }
  // A network's own host-name goes before the names of its nodes.
  const isHidden = network?.given.options.has(OPTION.hostname.code) === true;
  return told === name && !isHidden ? undefined : told;
}

const NOTHING: Given = { options: new Map(), ownName: false };

/** The innermost group around a host that its network does not stand in. */
function groupOf(scope: Scope, network: Drafted | undefined): Scope | undefined {
  const shared = new Set(network === undefined ? [] : chainOf(network.subnet.scope));
  return chainOf(scope).find((around) => around !== scope && around.kind !== 'global' && !shared.has(around));
}

/** What a machine is told without its own settings: its network's, then its group's. */
function overlaid(network: Given | undefined, group: Given): Given {
  const file = group.bootFile ?? network?.bootFile;
  const server = group.nextServer ?? network?.nextServer;
  return {
    options: new Map([...(network?.options ?? []), ...group.options]),
    ownName: false,
    ...(file === undefined ? {} : { bootFile: file }),
    ...(server === undefined ? {} : { nextServer: server }),
  };
}

/** Names for a node: what its client is told, else what the host is called. */
function namesFor({ host }: Machine, { outline }: Reading): readonly (string | undefined)[] {
  // Of an address the first part is no name.
  const label = (name: string | undefined) => (/^[\d.]*$/.test(name ?? '') ? undefined : name?.split('.')[0]);
  const told = label(toldName(host));
  // One name for many is a group's or a network's mistake, and no machine's name.
  const isOwn = host.scope.set.has('option dhcp.host-name') || outline.hosts.length === 1 || told === label(host.name);
  return [isOwn ? told : undefined, label(host.name), host.name];
}

/** What is said beyond `base`, as it is written; `undefined` if nothing is. */
function sharedOf(given: Given, base: Given | undefined, said: boolean, reading: Reading): Shared | undefined {
  const options = new Map<number, GivenOption>();
  for (const [code, option] of given.options) {
    // The client identifier of a host says who it is, not what it is given.
    if (code === OPTION.hostname.code || code === OPTION.clientId.code) continue;
    if (!sameOption(option, base?.options.get(code))) options.set(code, option);
  }
  const text = optionsText(options, reading);
  const shared: Shared = { ...bootOf(given, base, said, reading), ...(text === undefined ? {} : { options: text }) };
  return Object.keys(shared).length === 0 ? undefined : shared;
}

/**
 * How it boots: by a loader of ours where the files move here too, else by the file and server that are named. `said`: what
 * `base` gives is written in a profile of the node already; what a network gives has no loader.
 */
function bootOf(given: Given, base: Given | undefined, said: boolean, reading: Reading): Omit<Shared, 'options'> {
  const bootFile = given.bootFile ?? base?.bootFile;
  const nextServer = given.nextServer ?? base?.nextServer;
  const isOurs = nextServer === undefined || reading.isOurs(nextServer);
  const loader = loaderFor(bootFile, isOurs, reading);
  if (loader !== undefined) {
    const isSaid = said && loader === loaderFor(base?.bootFile, isOurs, reading);
    return isSaid ? {} : { loader };
  }
  return {
    ...(nextServer === undefined || isOurs || nextServer === base?.nextServer
      ? {}
      : { nextServer: formatIpv4(nextServer) }),
    ...(bootFile === undefined || bootFile === base?.bootFile ? {} : { bootFile }),
  };
}

function loaderFor(file: string | undefined, isOurs: boolean, { around }: Reading): ProfileText['loader'] | undefined {
  return file !== undefined && isOurs && around.tree ? LOADERS.get(fileName(file)) : undefined;
}

/** Boot files that a loader of ours stands for. */
const LOADERS: ReadonlyMap<string, NonNullable<ProfileText['loader']>> = new Map([
  ['pxelinux.0', 'pxelinux'],
  ['lpxelinux.0', 'pxelinux'],
  ['gpxelinux.0', 'pxelinux'],
  ['undionly.kpxe', 'ipxe'],
  ['undionly.0', 'ipxe'],
  ['ipxe.pxe', 'ipxe'],
  ['ipxe.kpxe', 'ipxe'],
  ['ipxe.efi', 'ipxe'],
  ['snponly.efi', 'ipxe'],
  ['snp.efi', 'ipxe'],
]);

function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).toLowerCase();
}

/** Profiles in the making: each for settings that several nodes share, named for their group or their boot file. */
class Profiles {
  readonly #reading: Reading;
  readonly #wanted = new Map<string, { count: number; group: Scope | undefined; settings: Shared; name?: string }>();
  readonly #names = new Names();

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  /** Counts one more node that has these settings; a group's are a profile even for one. */
  want(settings: Shared, group?: Scope): void {
    const key = JSON.stringify(settings);
    const known = this.#wanted.get(key);
    if (known === undefined) this.#wanted.set(key, { count: 1, group, settings });
    else this.#wanted.set(key, { ...known, count: known.count + 1, group: known.group ?? group });
  }

  /** The name of the profile with these settings, which is written once; `undefined` if the node has them for itself. */
  name(settings: Shared | undefined): string | undefined {
    const wanted = settings === undefined ? undefined : this.#wanted.get(JSON.stringify(settings));
    if (wanted === undefined || (wanted.count < 2 && wanted.group === undefined)) return undefined;
    wanted.name ??= this.#write(wanted);
    return wanted.name;
  }

  #write({ count, group, settings }: { count: number; group: Scope | undefined; settings: Shared }): string {
    const { draft } = this.#reading;
    const file =
      settings.bootFile === undefined ? settings.loader : fileName(settings.bootFile).replace(/\.[^.]*$/, '');
    const place = group?.place;
    const name = this.#names.take(group?.name, file, place === undefined ? undefined : `group-${place.line}`, 'shared');
    draft.site.profiles = { ...draft.site.profiles, [name]: settings };
    if (group === undefined) {
      draft.comment(['profiles', name], `what ${count} hosts have in common`);
      return name;
    }
    const what = describe(group);
    this.#reading.from('profiles', name, group.place, what);
    this.#reading.tellOf('taken', group.place, what, `profile ${name}`);
    return name;
  }
}
