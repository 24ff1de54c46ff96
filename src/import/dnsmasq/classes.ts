import { quoted } from '../../site/finding.ts';
import { invalid } from '../invalid.ts';
import { reason } from '../reason.ts';
import type { Asks, Pattern } from './conditions.ts';
import { isSet, type Line, unsetWords } from './outcomes.ts';
import type { Reading } from './reading.ts';
import type { Field, Setting } from './settings.ts';
import { isNot } from './tagBook.ts';
import { hardwareAddress, macPrefix, tagged } from './values.ts';

type Said = 'vendorClass' | 'userClass' | 'circuitId' | 'remoteId';

const SAYS: { readonly [keyword: string]: Said } = {
  'dhcp-vendorclass': 'vendorClass',
  'dhcp-userclass': 'userClass',
  'dhcp-circuitid': 'circuitId',
  'dhcp-remoteid': 'remoteId',
};

/** Why lines that set a tag by something else have no class. */
const NO_CONDITION: { readonly [keyword: string]: string } = {
  'dhcp-subscrid': 'classes have no condition for a subscriber id: write the class by circuit or remote id',
  'dhcp-name-match': 'classes have no condition for the name that a machine says: list its MAC address as a node',
};

/** A tag that a line sets, and where its class will stand once it is needed. */
type Setter = Line & { readonly tag: string; readonly changed?: string };

/** Learns which tags are set by what a machine says of itself. Gives what `tellClasses` is to tell of. */
export function learnTags(reading: Reading): readonly Setter[] {
  const setters: Setter[] = [];
  const add = (setting: Setting, tag: Field, asks: Asks, changed?: string) => {
    reading.tags.add(tag.text, asks, setting.place);
    setters.push({ setting, needs: [], tag: tag.text, ...(changed === undefined ? {} : { changed }) });
  };
  const lose = (setting: Setting, tag: Field, why: string) => {
    reading.tags.lose(tag.text, setting);
    reading.left(setting, why);
  };
  reading.each(reading.of('dhcp-mac'), (setting) => {
    const { tag, value } = tagAndValue(setting);
    const address = hardwareAddress(value.text);
    if (address === undefined) throw invalid(value.place, `${quoted(value.text)} is not a hardware address`);
    const prefix = address.ethernet ? macPrefix(address.bytes) : undefined;
    if (prefix === undefined) lose(setting, tag, 'a class knows beginnings of Ethernet addresses only');
    else add(setting, tag, { macs: [prefix] });
  });
  for (const [keyword, said] of Object.entries(SAYS)) {
    reading.each(reading.of(keyword), (setting) => {
      const { tag, value } = tagAndValue(setting);
      const isOfRelay = said === 'circuitId' || said === 'remoteId';
      add(setting, tag, { [said]: [isOfRelay ? exactly(value) : anywhere(value.text)] });
    });
  }
  reading.each(reading.of('dhcp-match'), (setting) => {
    const { sets, rest } = tagged(setting.fields);
    const [tag, option, ...values] = sets.length > 0 ? [sets[0], ...rest] : rest;
    if (tag === undefined || option === undefined) throw invalid(setting.place, 'dhcp-match needs a tag and an option');
    const found = match(
      option,
      values.filter((value) => value !== undefined),
    );
    if (typeof found === 'string') lose(setting, tag, found);
    else add(setting, tag, found.asks, found.changed);
  });
  for (const [keyword, why] of Object.entries(NO_CONDITION)) {
    reading.each(reading.of(keyword), (setting) => lose(setting, tagAndValue(setting).tag, why));
  }
  reading.each(reading.of('tag-if'), (setting) => {
    const { needs, sets, rest } = tagged(setting.fields);
    if (rest.length > 0 || sets.length === 0) throw invalid(setting.place, 'tag-if needs set:TAG and tag:TAG');
    reading.tags.tagIfs.push({ setting, needs, sets: sets.map(({ text }) => text) });
  });
  return setters;
}

/** Makes a class of each tag that is not in use yet, so that the operator finds it, and tells where each line stands. */
export function tellClasses(setters: readonly Setter[], reading: Reading): void {
  for (const { setting, tag, changed } of setters) {
    const names = reading.classesOfTag(tag);
    const why = `class ${names.join(', ')}`;
    const at = names.map((name) => ['classes', name]);
    if (changed === undefined) reading.taken(setting, at, why);
    else reading.tell('changed', setting, reason`${why}; ${changed}`);
  }
}

/** What became of `tag-if`: whatever is given to its tags is given to those that it computes them of. */
export function tellTagIfs(reading: Reading): void {
  for (const { setting, needs, sets } of reading.tags.tagIfs) {
    const unset = needs.map(({ text }) => text).find((need) => !isNot(need) && !isSet(need, reading));
    if (unset !== undefined) reading.left(setting, unsetWords(unset, reading));
    else {
      const tags = sets.join(', ');
      reading.tell(
        'changed',
        setting,
        reason`it is written out: what the tag ${tags} gives is given by the tags that it follows from`,
      );
    }
  }
}

function tagAndValue(setting: Setting): { tag: Field; value: Field } {
  const { sets, rest } = tagged(setting.fields);
  // Older configurations write the tag without `set:`.
  const [tag, ...values] = sets.length > 0 ? [sets[0], ...rest] : rest;
  const value = values.find((field) => field !== undefined && !field.text.startsWith('enterprise:'));
  if (tag === undefined || value === undefined)
    throw invalid(setting.place, `${setting.keyword} needs a tag and a value`);
  return { tag, value };
}

/** Text that stands anywhere in what the machine says. */
function anywhere(text: string): Pattern {
  return /[*?]/.test(text) ? { hex: `*${hexOf(text)}*` } : `*${text}*`;
}

/** The whole of what a relay says: bytes in hex, else text. */
function exactly({ text, quoted }: Field): Pattern {
  if (!quoted && /^[0-9a-f]{1,2}(:[0-9a-f]{1,2})+$/i.test(text)) {
    return {
      hex: text
        .split(':')
        .map((byte) => byte.padStart(2, '0'))
        .join(':'),
    };
  }
  return /[*?]/.test(text) ? { hex: hexOf(text) } : text;
}

function hexOf(text: string): string {
  return Buffer.from(text)
    .toString('hex')
    .replace(/(..)(?!$)/g, '$1:');
}

type Match = { readonly asks: Asks; readonly changed?: string };

/** Options whose presence or value a class can ask for; by number and by dnsmasq's names. A text says why it cannot. */
function match(option: Field, values: readonly Field[]): Match | string {
  const name = option.text.replace(/^option:/, '');
  const [value] = values;
  if (name === 'client-arch' || name === '93') {
    if (value === undefined) return 'a class asks for an architecture by its number';
    const numbers = values.flatMap(({ text }) => text.split(/\s+/)).map(Number);
    const [number, ...more] = numbers;
    // Anything else than one number dnsmasq compares as text or bytes, which no firmware says.
    if (number === undefined || more.length > 0 || !Number.isInteger(number) || number < 0 || number > 65_535) {
      return 'it is not the number of one architecture: write a line for each';
    }
    return { asks: { arch: [number] } };
  }
  if (name === 'vendor-class' || name === '60') return { asks: { vendorClass: [matched(value)] } };
  if (name === 'user-class' || name === '77') return { asks: { userClass: [matched(value)] } };
  if ((name === '175' || name === 'ipxe') && value === undefined) {
    return {
      asks: { userClass: ['iPXE'] },
      changed: 'iPXE says its name in the user class too, which a class asks for',
    };
  }
  return 'a class cannot ask for this option: write it by vendor class, user class or architecture';
}

/** A value of dhcp-match: bytes at the beginning, else text anywhere; without one, anything. */
function matched(value: Field | undefined): Pattern {
  if (value === undefined) return '*';
  if (!value.quoted && /^([0-9a-f]{1,2}|\*)(:([0-9a-f]{1,2}|\*))+$/i.test(value.text)) {
    const bytes = value.text.split(':').map((byte) => (byte === '*' ? '??' : byte.padStart(2, '0')));
    return { hex: `${bytes.join(':')}:*` };
  }
  return anywhere(value.text);
}
