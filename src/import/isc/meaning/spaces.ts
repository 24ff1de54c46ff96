import { OPTION } from '../../../model/options.ts';
import { reason, type Why } from '../../reason.ts';
import { optionKey } from '../text/keys.ts';
import { show } from '../text/show.ts';
import type { StatementOf } from '../text/tree.ts';
import { type GivenOption, givenValue } from './optionSettings.ts';
import type { Absence, Reading } from './reading.ts';
import { chainOf, type Setting, settingsIn } from './scopes.ts';
import { wordOf } from './words.ts';

/** Spaces whose options are not for clients. */
export const NOT_GIVEN: ReadonlyMap<string, Absence> = new Map<string, Absence>([
  ['agent', { why: 'it is for relays to send', weight: 'server' }],
  ['fqdn', { why: 'Reveille does not update DNS', weight: 'other' }],
  ['dhcp6', { why: 'Reveille serves IPv4', weight: 'other' }],
]);

type Member = { readonly setting: StatementOf<'option'>; readonly code: number; readonly bytes: Uint8Array };

/**
 * Gives the options of other spaces than dhcpd's own as the option that carries them: 43 for the space that `vendor-option-space`
 * names, one that is defined as `encapsulate`, or their own numbers for the space that `site-option-space` names. That is
 * done where `settings` say something of it, with all that is known of the space `around`.
 */
export function carrySpaces(
  settings: ReadonlyMap<string, Setting>,
  around: ReadonlyMap<string, Setting>,
  options: Map<number, GivenOption>,
  reading: Reading,
): void {
  const vendor = spaceNamed('vendor-option-space', around);
  const site = spaceNamed('site-option-space', around);
  const spaces = new Set([...settings.values()].flatMap((setting) => spaceOf(setting) ?? []));
  if (vendor !== undefined && settings.has('vendor-option-space')) spaces.add(vendor.space);
  if (site !== undefined && settings.has('site-option-space')) spaces.add(site.space);
  for (const space of spaces) {
    const members = membersOf(space, around, reading);
    const [first] = members;
    if (first === undefined) {
      for (const named of [vendor, site]) {
        if (named?.space === space) reading.because(named.from, 'no option of that space is given where it counts');
      }
      continue;
    }
    if (space === site?.space) giveOnes(members, site, options, reading);
    if (space === vendor?.space) {
      const from: GivenOption['from'] = [first.setting, ...members.slice(1).map(({ setting }) => setting), vendor.from];
      if (around.has(VENDOR_OPTION)) {
        const why = 'option 43 is given as a whole, which goes before it';
        because(members, why, reading);
        reading.because(vendor.from, why);
      } else
        options.set(OPTION.vendor.code, { name: 'vendor-encapsulated-options', value: packed(members, reading), from });
    }
    const carrier = reading.options.carrier(space);
    if (carrier !== undefined && !options.has(carrier.code)) {
      const from: GivenOption['from'] = [first.setting, ...members.slice(1).map(({ setting }) => setting)];
      options.set(carrier.code, { name: space, value: packed(members, reading), from });
    }
    const why = reason`no option carries those of space ${first.setting.option.space}: there is no vendor-option-space ${first.setting.option.space} where it counts`;
    because(members, why, reading);
  }
  if (site === undefined) return;
  withoutOwn(site, options, reading);
  const isNarrower =
    settings.has('site-option-space') &&
    [...around].some(([key, one]) => {
      return !settings.has(key) && one.kind === 'option' && isHidden(one, site, reading);
    });
  const why = 'options of such numbers that are said further out are given to its clients all the same';
  if (isNarrower) reading.tell('changed', site.from, why);
}

const VENDOR_OPTION = optionKey('dhcp', 'vendor-encapsulated-options');

type Named = { readonly space: string; readonly from: Setting };

function spaceNamed(keyword: string, settings: ReadonlyMap<string, Setting>): Named | undefined {
  const from = settings.get(keyword);
  const space = from === undefined ? undefined : wordOf(from)?.toLowerCase();
  return from === undefined || space === undefined ? undefined : { space, from };
}

/** The space of an option that another option has to carry. */
function spaceOf(setting: Setting): string | undefined {
  if (setting.kind !== 'option') return undefined;
  const space = setting.option.space.toLowerCase();
  return space === 'dhcp' || NOT_GIVEN.has(space) ? undefined : space;
}

function membersOf(space: string, around: ReadonlyMap<string, Setting>, reading: Reading): readonly Member[] {
  return [...around.values()]
    .flatMap((setting): Member[] => {
      if (setting.kind !== 'option' || spaceOf(setting) !== space) return [];
      const read = reading.attempt(() => givenValue(setting, reading));
      return read === undefined ? [] : [{ setting, code: read.code, bytes: read.value.bytes }];
    })
    .toSorted((a, b) => a.code - b.code);
}

function packed(members: readonly Member[], reading: Reading): GivenOption['value'] {
  const bytes = members.flatMap(({ setting, code, bytes }) => {
    const widths = reading.options.widths(setting.option.space);
    return [...bigEndian(code, widths.code), ...bigEndian(bytes.length, widths.length), ...bytes];
  });
  return { written: undefined, bytes: Uint8Array.from(bytes) };
}

function bigEndian(value: number, width: number): number[] {
  return Array.from({ length: width }, (_, i) => (value >>> (8 * (width - 1 - i))) & 255);
}

/** Options of the space for the site's own numbers: each is given as such. */
function giveOnes(members: readonly Member[], site: Named, options: Map<number, GivenOption>, reading: Reading): void {
  const least = reading.options.leastOfSite(site.space);
  for (const { setting, code } of members) {
    const read = reading.attempt(() => givenValue(setting, reading));
    if (read === undefined) continue;
    if (code < least) reading.because(setting, reason`of a site-option-space only options from ${least} on are given`);
    else options.set(code, { name: '', value: read.value, from: [setting, site.from] });
  }
}

/** From the least number of that space on, options of dhcpd's own space are not given. */
function withoutOwn(site: Named, options: Map<number, GivenOption>, reading: Reading): void {
  const least = reading.options.leastOfSite(site.space);
  for (const [code, { from }] of options) {
    if (code < least || from.includes(site.from)) continue;
    options.delete(code);
    const why = reason`options from ${least} on come from space ${site.space} here, by site-option-space`;
    for (const setting of from) reading.because(setting, why, 'server');
  }
}

/** Whether an option of dhcpd's own space is one of those that come from the site's space instead. */
function isHidden({ option }: StatementOf<'option'>, site: Named, reading: Reading): boolean {
  const code = option.space === 'dhcp' ? reading.options.find(option)?.code : undefined;
  return code !== undefined && code >= reading.options.leastOfSite(site.space);
}

function because(members: readonly Member[], why: Why, reading: Reading): void {
  for (const { setting } of members) reading.because(setting, why);
}

const GIVEN_BY_ALL = new WeakMap<Reading, ReadonlyMap<string, Setting>>();

/**
 * What networks give, as far as it may count for a class, which is one for all networks: of a setting that differs the first, but
 * of options of spaces none, since a class holds one value.
 */
export function givenByNetworks(reading: Reading): ReadonlyMap<string, Setting> {
  const known = GIVEN_BY_ALL.get(reading);
  if (known !== undefined) return known;
  const common = new Map<string, Setting>();
  const differing = new Set<string>();
  for (const { scope } of reading.outline.wires.flatMap(({ subnets }) => subnets)) {
    for (const [key, setting] of settingsIn(scope)) {
      const other = common.get(key);
      if (other === undefined) common.set(key, setting);
      else if (other !== setting && show(other) !== show(setting) && spaceOf(setting) !== undefined) {
        differing.add(key);
        const why = 'networks give it different values, and a class gives one in all of them';
        for (const one of [other, setting]) reading.because(one, why);
      }
    }
  }
  for (const key of differing) common.delete(key);
  GIVEN_BY_ALL.set(reading, common);
  return common;
}

/** What the clients of a scope for all networks are given around it: by networks, then by the scopes it stands in. */
export function aroundOf(scope: Parameters<typeof chainOf>[0], reading: Reading): ReadonlyMap<string, Setting> {
  const around = new Map(givenByNetworks(reading));
  for (const one of chainOf(scope).toReversed()) {
    if (one.kind !== 'global' && one.kind !== 'shared-network')
      for (const [key, setting] of one.set) around.set(key, setting);
  }
  return around;
}
