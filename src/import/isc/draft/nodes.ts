import { choiceFor } from '../../../boot/methods.ts';
import { formatIpv4 } from '../../../model/ipv4.ts';
import type { Mac } from '../../../model/mac.ts';
import { OPTION } from '../../../model/options.ts';
import type { SiteText } from '../../draft.ts';
import { reason } from '../../reason.ts';
import { describe } from '../meaning/comments.ts';
import { type Given, givenBy, NOTHING, sameOption } from '../meaning/given.ts';
import { Names } from '../meaning/names.ts';
import type { GivenOption } from '../meaning/optionSettings.ts';
import type { Reading, WrittenPart } from '../meaning/reading.ts';
import { chainOf, type Scope, type Setting, settingsIn } from '../meaning/scopes.ts';
import { givenByNetworks } from '../meaning/spaces.ts';
import { groupSettings, type HostNode, nameSent } from './hosts.ts';
import { checkMask, type Drafted } from './networks.ts';
import { optionsText } from './optionsText.ts';

type NodeText = NonNullable<SiteText['nodes']>[string];
type ProfileText = NonNullable<SiteText['profiles']>[string];

/** What several machines share, or one has for itself: how it boots and its options. */
type Shared = Pick<ProfileText, 'loader' | 'nextServer' | 'bootFile' | 'options'>;

/** The same with where it comes from; `text` is absent if there is nothing to say. */
type Said = { readonly text?: Shared; readonly parts: readonly WrittenPart[] };

/**
 * Writes every machine as a node. What a group of hosts gives, and what at least two hosts give alike, becomes a profile;
 * what the network gives anyway is not said again.
 */
export function draftNodes(machines: readonly HostNode[], reading: Reading): void {
  const profiles = new Profiles(reading);
  const names = new Names();
  const written = machines.map((machine) => {
    const { host, macs, network } = machine;
    const group = groupOf(host.scope, network);
    const outer = network?.settings ?? givenByNetworks(reading);
    const ofGroup = group === undefined ? undefined : groupSettings(group, network);
    const ofHost = groupSettings(host.scope, network);
    const groupGiven = ofGroup === undefined ? NOTHING : givenBy(ofGroup, reading, new Map([...outer, ...ofGroup]));
    const own = givenBy(ofHost, reading, new Map([...outer, ...ofHost]));
    return {
      machine,
      group,
      name: names.take(...namesFor(machine, reading)),
      ofGroup: group === undefined ? SILENT : sharedOf(groupGiven, { macs, network }, reading),
      own: sharedOf(own, group === undefined ? { macs, network } : { macs, network, group: groupGiven }, reading),
    };
  });
  for (const { group, ofGroup, own } of written) {
    if (group !== undefined && ofGroup.text !== undefined) profiles.want(ofGroup.text, group);
    if (own.text !== undefined) profiles.want(own.text);
  }

  for (const { machine, name, group, ofGroup, own } of written) {
    const { host, macs, ip } = machine;
    const at = ['nodes', name];
    const used: string[] = [];
    for (const { text, parts } of [...(group === undefined ? [] : [ofGroup]), own]) {
      const profile = profiles.name(text);
      if (profile !== undefined) used.push(profile);
      reading.standParts(profile === undefined ? at : ['profiles', profile], parts);
    }
    const [mac = ''] = macs;
    const node: NodeText = {
      mac: macs.length === 1 ? mac : [...macs],
      ...(ip === undefined ? {} : { ip: formatIpv4(ip) }),
      ...(used.length === 0 ? {} : { profiles: used }),
      ...(own.text !== undefined && profiles.name(own.text) === undefined ? own.text : {}),
    };
    const told = otherName(machine, name, reading);
    if (told !== undefined) node.options = { 'host-name': told, ...node.options };
    reading.draft.site.nodes ??= {};
    reading.draft.site.nodes[name] = node;
    reading.from('nodes', name, host.place, `host ${host.name}`);
    if (isNamedAfter(name, machine)) reading.standsOf(host.place, `host ${host.name}`, at);
    else {
      const why = 'its node has another name here: this one cannot name a node (RFC 1123), or another node has it';
      reading.tellOf('changed', host.place, `host ${host.name}: node ${name}`, why);
    }
    for (const setting of asNode(machine)) reading.stands(setting, at);
  }
}

/** Whether a node has a name by which its machine was known: what its client gets, or the host's, perhaps without a domain. */
function isNamedAfter(name: string, { host }: HostNode): boolean {
  return [nameSent(host), host.name].some((known) => known === name || known?.split('.')[0] === name);
}

/** What a node is by itself: its address, its name as that of its client, and that it is answered. */
function asNode({ host }: HostNode): readonly Setting[] {
  const settings = settingsIn(host.scope);
  const keys = ['fixed-address', 'option dhcp.host-name', 'allow booting'];
  if (nameSent(host) === host.name) keys.push('use-host-decl-names');
  if (host.hardware.length === 0) keys.push('option dhcp.dhcp-client-identifier', 'uid');
  return keys.flatMap((key) => settings.get(key) ?? []);
}

const SILENT: Said = { parts: [] };

/** What its client gets as its name, where that is not the node's name alone. */
function otherName({ host, network }: HostNode, name: string, reading: Reading): string | undefined {
  const told = nameSent(host);
  if (told === undefined || told === '') return undefined;
  if (told === `${name}.${network?.text.domain}`) {
    const why = reason`the name alone is sent, ${name}; the domain is sent as such`;
    reading.tellOf('changed', host.place, `host-name ${told}`, why);
    return undefined;
  }
  // A network's own host-name goes before the names of its nodes.
  const isHidden = network?.given.options.has(OPTION.hostname.code) === true;
  return told === name && !isHidden ? undefined : told;
}

/** The innermost group around a host that its network does not stand in. */
function groupOf(scope: Scope, network: Drafted | undefined): Scope | undefined {
  const shared = new Set(network === undefined ? [] : chainOf(network.subnet.scope));
  return chainOf(scope).find((around) => around !== scope && around.kind !== 'global' && !shared.has(around));
}

/** What a machine gets without its own settings: its network's, then its group's. */
function overlaid(network: Given | undefined, group: Given): Given {
  const file = group.bootFile ?? network?.bootFile;
  const server = group.nextServer ?? network?.nextServer;
  return {
    options: new Map([...(network?.options ?? []), ...group.options]),
    ...(file === undefined ? {} : { bootFile: file }),
    ...(server === undefined ? {} : { nextServer: server }),
  };
}

/** Names for a node: what its client gets, else what the host is called. */
function namesFor({ host }: HostNode, { outline }: Reading): readonly (string | undefined)[] {
  // Of an address the first part is no name.
  const label = (name: string | undefined) => (/^[\d.]*$/.test(name ?? '') ? undefined : name?.split('.')[0]);
  const told = label(nameSent(host));
  // One name for many is a group's or a network's mistake, and no machine's name.
  const isOwn = host.scope.set.has('option dhcp.host-name') || outline.hosts.length === 1 || told === label(host.name);
  return [isOwn ? told : undefined, label(host.name), host.name];
}

/** What counts for a machine without its own settings: its network's, then its group's, which a profile of it says. */
type Outer = { readonly macs: readonly Mac[]; readonly network: Drafted | undefined; readonly group?: Given };

/**
 * What is said beyond what counts further out, as it is written; what is said alike stands where that stands. Classes come between
 * a network and its nodes: what one of them gives is said again.
 */
function sharedOf(given: Given, outer: Outer, reading: Reading): Said {
  const { macs, network, group } = outer;
  const base = overlaid(network?.given, group ?? NOTHING);
  const options = new Map<number, GivenOption>();
  for (const [code, option] of given.options) {
    // The client identifier of a host says who it is, not what it is given.
    if (code === OPTION.hostname.code || code === OPTION.clientId.code) continue;
    if (code === OPTION.subnetMask.code && network !== undefined) {
      tellOfMask(option, network, reading);
      continue;
    }
    const same = base.options.get(code);
    const isHidden = group?.options.has(code) !== true && reading.gifts.has(code, macs);
    if (same === undefined || isHidden || !sameOption(option, same)) options.set(code, option);
    else for (const from of option.from) reading.standsWith(from, same.from[0]);
  }
  const written = optionsText(options, reading);
  const boot = bootOf(given, outer, base, reading);
  const text: Shared = { ...boot.text, ...(written.text === undefined ? {} : { options: written.text }) };
  const parts = [...boot.parts, ...written.parts];
  return Object.keys(text).length === 0 ? { parts } : { text, parts };
}

/** Clients get the netmask of their network: it stands in its subnet. */
function tellOfMask(option: GivenOption, { name, block }: Drafted, reading: Reading): void {
  for (const from of option.from) {
    reading.stands(from, ['networks', name, 'subnet']);
    checkMask(option, block, reading);
  }
}

type Boot = { readonly text: Omit<Shared, 'options'>; readonly parts: readonly WrittenPart[] };

/**
 * How it boots: by a loader of ours where the files move here too and no network or class names another file, else by the file
 * and server that are named. What a group gives is written in a profile of the node already; what a network gives has no loader.
 */
function bootOf(given: Given, { macs, network, group }: Outer, base: Given, reading: Reading): Boot {
  const { bootFile = base.bootFile, nextServer = base.nextServer } = given;
  const isOurs = nextServer === undefined || reading.isOurs(nextServer.ip);
  const parts: WrittenPart[] = [];
  const loader = loaderFor(bootFile?.file, isOurs, reading);
  if (loader !== undefined && !isContested(bootFile?.file, macs, network, reading)) {
    const isSaid = group !== undefined && loader === loaderFor(base.bootFile?.file, isOurs, reading);
    if (given.nextServer !== undefined) parts.push({ from: given.nextServer.from, key: isSaid ? [] : ['loader'] });
    if (given.bootFile !== undefined) {
      if (!isSaid) parts.push({ from: given.bootFile.from, key: ['loader'] });
      else if (base.bootFile !== undefined) reading.standsWith(given.bootFile.from, base.bootFile.from);
    }
    return { text: isSaid ? {} : { loader }, parts };
  }
  let text: Boot['text'] = {};
  if (given.nextServer !== undefined) {
    const { ip, from } = given.nextServer;
    const isHidden = group?.nextServer === undefined && reading.gifts.has('nextServer', macs);
    if (ip === base.nextServer?.ip && !isHidden) reading.standsWith(from, base.nextServer.from);
    else if (!reading.isImplied(ip, bootFile !== undefined)) {
      text = { nextServer: formatIpv4(ip) };
      parts.push({ from, key: ['nextServer'] });
      // This server is the one where nothing else is named; what names another is answered by name.
    } else parts.push({ from, key: [] });
  }
  if (given.bootFile !== undefined) {
    const { file, from } = given.bootFile;
    const isHidden = group?.bootFile === undefined && reading.gifts.has('bootFile', macs);
    if (file === base.bootFile?.file && !isHidden) reading.standsWith(from, base.bootFile.from);
    else {
      text = { ...text, bootFile: file };
      parts.push({ from, key: ['bootFile'] });
    }
  }
  return { text, parts };
}

/** Whether a network or a class names another boot file: that would go before a loader. */
function isContested(
  file: string | undefined,
  macs: readonly Mac[],
  network: Drafted | undefined,
  reading: Reading,
): boolean {
  const others = [...reading.gifts.filesFor(macs), network?.given.bootFile?.file];
  return others.some((other) => other !== undefined && other !== file);
}

function loaderFor(file: string | undefined, isOurs: boolean, { context }: Reading): ProfileText['loader'] | undefined {
  return file !== undefined && isOurs && context.tree ? choiceFor(file) : undefined;
}

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
    draft.site.profiles ??= {};
    draft.site.profiles[name] = settings;
    if (group === undefined) {
      draft.comment(['profiles', name], `what ${count} hosts have in common`);
      return name;
    }
    const what = describe(group);
    this.#reading.from('profiles', name, group.place, what);
    this.#reading.standsOf(group.place, what, ['profiles', name]);
    return name;
  }
}
