import { inSubnet, parseIpv4, parseRange, parseSubnet, type Subnet } from '../../net/ipv4.ts';
import type { SiteDraft } from '../draft.ts';
import { draftBoot } from './boot.ts';
import { CONDITIONS, draftClasses } from './classes.ts';
import { draftOptions } from './dhcpOptions.ts';
import { readSettings } from './files.ts';
import { draftHosts } from './hosts.ts';
import { draftNetworks, isUnknown } from './networks.ts';
import { OPTIONS } from './options.ts';
import { type Drafted, Reading, type Surroundings } from './reading.ts';
import type { Setting } from './settings.ts';
import { tagged } from './values.ts';

/**
 * Reads a dnsmasq.conf, with all that it draws in, into a draft. Gives the folder that dnsmasq's own TFTP server gives out,
 * if it has one and it is here, for `readTree`. Throws IMPORT_INVALID for all that cannot be read, at its places.
 */
export async function readDnsmasq(draft: SiteDraft, file: string, around: Surroundings): Promise<string | undefined> {
  const reading = new Reading(await readSettings(file), around, draft);
  const tree = reading.tftpRoot();
  draftNetworks(reading);
  draftClasses(reading);
  draftHosts(reading);
  draftDomains(reading);
  draftOptions(reading);
  draftBoot(reading, around.tree || tree !== undefined);
  draftIgnored(reading);
  draftServer(reading);
  for (const setting of reading.settings) {
    const fate = OPTIONS.get(setting.keyword)?.fate;
    if (typeof fate === 'object') reading.tell('left', setting, fate.left);
  }
  dropUnset(reading);
  dropEmpty(draft);
  reading.problems.throwAll();
  return tree;
}

/** `domain=NAME` for all networks, `domain=NAME,SUBNET` or `NAME,FIRST,LAST` for one. */
function draftDomains(reading: Reading): void {
  reading.each(reading.of('domain'), (setting) => {
    const [name, where, last] = setting.fields;
    if (name === undefined || name.text === '#') {
      reading.tell('left', setting, 'write the domain itself');
      return;
    }
    const range =
      where && parseRange(last && parseIpv4(last.text) !== undefined ? `${where.text}-${last.text}` : where.text);
    const subnet = where && parseSubnet(where.text);
    const isFor = (network: Drafted) =>
      subnet ? sameSubnet(network.subnet, subnet) : !range || inSubnet(network.subnet, range.first);
    const networks = reading.networks.filter(isFor);
    for (const { text } of networks) if (where !== undefined || text.domain === undefined) text.domain = name.text;
    if (networks.length > 0) reading.tell('taken', setting);
    else reading.tell('left', setting, 'it is for addresses of no network here');
  });
}

function sameSubnet(one: Subnet, other: Subnet): boolean {
  return one.base === other.base && one.prefix === other.prefix;
}

/** `dhcp-ignore`: machines with all of these tags get no address. */
function draftIgnored(reading: Reading): void {
  reading.each(reading.of('dhcp-ignore'), (setting) => {
    const { needs, rest } = tagged(setting.fields);
    const tags = [...needs, ...rest].map(({ text }) => text);
    const [tag = '', ...more] = tags;
    const known = reading.classes.get(tag);
    if (more.length === 0 && isUnknown(tag)) reading.tell('taken', setting, 'the pools are for nodes of the site');
    else if (more.length > 0 || known === undefined) {
      reading.tell('left', setting, 'pools refuse members of a class: write one for these machines');
    } else {
      for (const { text } of reading.networks) {
        for (const pool of text.pools ?? []) pool.deny = [...new Set([...[pool.deny ?? []].flat(), known.name])];
      }
      reading.tell('taken', setting, `the pools refuse class ${known.name}`);
    }
  });
}

/** What counts for the server as a whole. */
function draftServer(reading: Reading): void {
  const { site } = reading.draft;
  const first = (keyword: string): Setting | undefined => reading.of(keyword)[0];
  if (first('no-ping') !== undefined) site.dhcp = { ...site.dhcp, probe: 'off' };
  if (first('tftp-single-port') !== undefined) site.tftp = { ...site.tftp, singlePort: true };
  const most = Number(first('tftp-max')?.fields[0]?.text);
  if (Number.isInteger(most) && most >= 1 && most <= 100_000) site.tftp = { ...site.tftp, maxTransfers: most };
  for (const setting of reading.of('tftp-root')) {
    const [root, , ...more] = setting.fields;
    if (setting.fields.length > 1 || more.length > 0)
      reading.tell('left', setting, 'there is one tftp.root for all networks');
    else if (reading.tftpRoot() === root?.text || reading.around.tree) reading.tell('taken', setting, 'tftp.root');
    else
      reading.tell('left', setting, 'there is no such folder here: name the folder of the boot files with --tftp DIR');
  }
  const plain = ['no-ping', 'tftp-single-port', 'tftp-max', 'enable-tftp', 'dhcp-authoritative', 'dhcp-ignore-clid'];
  const unserved = ['except-interface', 'no-dhcp-interface', 'no-dhcpv4-interface'];
  for (const setting of reading.of(...plain, ...unserved)) reading.tell('taken', setting);
  for (const setting of reading.of('port')) {
    if (setting.fields[0]?.text === '0') reading.tell('taken', setting);
    else reading.tell('left', setting, 'Reveille answers no DNS');
  }
}

/** Tags that pools ask for and no line sets: nobody is a member. */
function dropUnset({ networks, classes, draft }: Reading): void {
  for (const [tag, { name, text }] of classes) {
    if (CONDITIONS.some((condition) => text[condition] !== undefined)) continue;
    delete draft.site.classes?.[name];
    for (const { text: network, place } of networks) {
      const { pools = [] } = network;
      const left = pools.filter(({ allow }) => allow !== name);
      if (left.length < pools.length) {
        const why = `no line sets the tag ${tag}, so nobody draws from it`;
        draft.remark('left', place, `a range for the tag ${tag}`, why);
      }
      for (const pool of left) if (pool.deny === name) delete pool.deny;
      if (network.pools !== undefined) network.pools = left;
    }
  }
}

/** Profiles that give nothing are not written, and the sections stand in the order of reading. */
function dropEmpty({ site }: SiteDraft): void {
  for (const [name, text] of Object.entries(site.profiles ?? {})) {
    if (Object.keys(text).length > 0) continue;
    delete site.profiles?.[name];
    for (const node of Object.values(site.nodes ?? {})) {
      const left = node.profiles?.filter((profile) => profile !== name);
      if (left?.length === 0) delete node.profiles;
      else if (left !== undefined) node.profiles = left;
    }
  }
  for (const key of ['networks', 'classes', 'profiles', 'nodes'] as const) {
    const section = site[key];
    delete site[key];
    if (section !== undefined && Object.keys(section).length > 0) Object.assign(site, { [key]: section });
  }
}
