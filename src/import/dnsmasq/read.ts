import { resolve } from 'node:path';
import { inSubnet, parseIpv4, parseRange, parseSubnet, type Subnet } from '../../model/ipv4.ts';
import type { Path } from '../../site/yaml.ts';
import type { ImportContext } from '../context.ts';
import type { SiteDraft } from '../draft.ts';
import { draftBoot } from './boot.ts';
import { learnTags, tellClasses, tellTagIfs } from './classes.ts';
import { draftOptions } from './dhcpOptions.ts';
import { readSettings } from './files.ts';
import { addProfiles, draftHosts, refuseIgnored, tellPatterns } from './hosts.ts';
import { draftIgnored } from './members.ts';
import { draftNetworks, draftPools, tellInterfaces, tellPools } from './networks.ts';
import { OPTIONS } from './options.ts';
import { NO_NETWORK } from './outcomes.ts';
import { type Drafted, Reading } from './reading.ts';
import type { Setting } from './settings.ts';

/**
 * Reads a dnsmasq.conf, with all that it draws in, into a draft. Gives the folder that dnsmasq's own TFTP server gives out,
 * if it has one and it is here, for `readTree`. Throws IMPORT_INVALID for all that cannot be read, at its places.
 */
export async function readDnsmasq(draft: SiteDraft, file: string, context: ImportContext): Promise<string | undefined> {
  const reading = new Reading(await readSettings(file), context, draft);
  const tree = reading.tftpRoot();
  const setters = learnTags(reading);
  const ranges = draftNetworks(reading);
  const patterns = draftHosts(reading);
  draftPools(ranges, reading);
  refuseIgnored(reading);
  draftIgnored(reading);
  tellPools(ranges, reading);
  draftDomains(reading);
  draftBoot(reading, context.tree || tree !== undefined);
  draftOptions(reading);
  addProfiles(reading);
  tellPatterns(patterns, reading);
  tellClasses(setters, reading);
  tellTagIfs(reading);
  tellInterfaces(reading);
  draftServer(reading, tree);
  for (const setting of reading.settings) {
    const treatment = OPTIONS.get(setting.keyword)?.treatment;
    if (typeof treatment === 'object') reading.left(setting, treatment.left, treatment.weight);
  }
  reading.sortClasses();
  inOrderOfReading(draft);
  reading.problems.throwAll();
  return tree;
}

/** `domain=NAME` for all networks, `domain=NAME,SUBNET` or `NAME,FIRST,LAST` for one. */
function draftDomains(reading: Reading): void {
  reading.each(reading.of('domain'), (setting) => {
    const [name, where, last] = setting.fields;
    if (name === undefined || name.text === '#') {
      reading.left(setting, 'write the domain itself');
      return;
    }
    const range =
      where && parseRange(last && parseIpv4(last.text) !== undefined ? `${where.text}-${last.text}` : where.text);
    const subnet = where && parseSubnet(where.text);
    const isFor = (network: Drafted) =>
      subnet ? sameSubnet(network.subnet, subnet) : !range || inSubnet(network.subnet, range.first);
    const networks = reading.networks.filter(isFor);
    for (const { text } of networks) if (where !== undefined || text.domain === undefined) text.domain = name.text;
    const at = networks
      .filter(({ text }) => text.domain === name.text)
      .map((one): Path => ['networks', one.name, 'domain']);
    if (at.length > 0) reading.taken(setting, at);
    else if (reading.networks.length === 0) reading.left(setting, NO_NETWORK);
    else
      reading.left(
        setting,
        networks.length === 0
          ? 'it is for addresses of no network here'
          : 'another line names the domain of the networks',
      );
  });
}

function sameSubnet(one: Subnet, other: Subnet): boolean {
  return one.base === other.base && one.prefix === other.prefix;
}

/** What is so in every site, and why nothing need be written for it. */
const BY_ITSELF: { readonly [keyword: string]: string } = {
  'enable-tftp': 'nothing need be written: files are given out by TFTP on every interface that is served',
  'dhcp-authoritative':
    'nothing need be written: Reveille knows all machines of its networks, and refuses what is wrong there',
  'dhcp-ignore-clid': 'nothing need be written: machines are known by their MAC addresses',
  'except-interface':
    'nothing need be written: Reveille listens on the interfaces that the networks name, and on no other',
  'no-dhcp-interface':
    'nothing need be written: Reveille listens on the interfaces that the networks name, and on no other',
  'no-dhcpv4-interface':
    'nothing need be written: Reveille listens on the interfaces that the networks name, and on no other',
};

/** What counts for the server as a whole. */
function draftServer(reading: Reading, tree: string | undefined): void {
  const { site } = reading.draft;
  for (const setting of reading.of('no-ping')) {
    site.dhcp = { ...site.dhcp, probe: 'off' };
    reading.taken(setting, [['dhcp', 'probe']]);
  }
  for (const setting of reading.of('tftp-single-port')) {
    site.tftp = { ...site.tftp, singlePort: true };
    reading.taken(setting, [['tftp', 'singlePort']]);
  }
  for (const setting of reading.of('tftp-max')) {
    const most = Number(setting.fields[0]?.text);
    if (Number.isInteger(most) && most >= 1 && most <= 100_000) {
      site.tftp = { ...site.tftp, maxTransfers: most };
      reading.taken(setting, [['tftp', 'maxTransfers']]);
    } else reading.left(setting, 'it is no number of transfers from 1 to 100000', 'server');
  }
  for (const setting of reading.of('tftp-root')) draftRoot(setting, tree, reading);
  for (const [keyword, why] of Object.entries(BY_ITSELF)) {
    for (const setting of reading.of(keyword)) reading.left(setting, why, 'server');
  }
  for (const setting of reading.of('port')) {
    const isOff = setting.fields[0]?.text === '0';
    reading.left(
      setting,
      isOff ? 'nothing need be written: Reveille answers no DNS' : 'Reveille answers no DNS',
      'other',
    );
  }
}

function draftRoot(setting: Setting, tree: string | undefined, reading: Reading): void {
  const { site } = reading.draft;
  if (setting.fields.length > 1) reading.left(setting, 'there is one tftp.root for all networks');
  else if (reading.context.tree)
    reading.tell('changed', setting, '`tftp.root` is the folder of --tftp', { weight: 'server' });
  else if (tree !== undefined && tree === setting.fields[0]?.text) {
    site.tftp = { ...site.tftp, root: tree };
    reading.taken(setting, [['tftp', 'root']]);
  } else if (resolve(setting.fields[0]?.text ?? '') === '/') {
    reading.left(setting, 'it is the whole file system: name the folder of the boot files with --tftp DIR');
  } else if (reading.of('enable-tftp').length === 0) {
    reading.left(
      setting,
      'dnsmasq gives nothing out there without enable-tftp: name the folder with --tftp DIR if it is to be',
      'server',
    );
  } else reading.left(setting, 'there is no such folder here: name the folder of the boot files with --tftp DIR');
}

/** The sections stand in the order of reading; those that hold nothing are not written. */
function inOrderOfReading({ site }: SiteDraft): void {
  for (const key of ['networks', 'classes', 'profiles', 'nodes'] as const) {
    const section = site[key];
    delete site[key];
    if (section !== undefined && Object.keys(section).length > 0) Object.assign(site, { [key]: section });
  }
}
