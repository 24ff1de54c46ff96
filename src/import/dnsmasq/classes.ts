import { invalid } from '../invalid.ts';
import type { ClassText, Reading } from './reading.ts';
import type { Field, Setting } from './settings.ts';
import { hardwareAddress, macPrefix, tagged } from './values.ts';

const SAYS: { readonly [keyword: string]: 'vendorClass' | 'userClass' | 'circuitId' | 'remoteId' } = {
  'dhcp-vendorclass': 'vendorClass',
  'dhcp-userclass': 'userClass',
  'dhcp-circuitid': 'circuitId',
  'dhcp-remoteid': 'remoteId',
};

type Condition = 'macs' | 'vendorClass' | 'userClass' | 'circuitId' | 'remoteId' | 'arch';
type Pattern = string | { hex: string };

/** Writes a class for each tag that is set by what a machine says of itself. */
export function draftClasses(reading: Reading): void {
  reading.each(reading.of('dhcp-mac'), (setting) => {
    const { tag, value } = tagAndValue(setting);
    const address = hardwareAddress(value.text);
    if (address === undefined) throw invalid(value.place, `${JSON.stringify(value.text)} is not a hardware address`);
    const prefix = address.ethernet ? macPrefix(address.bytes) : undefined;
    if (prefix === undefined) reading.tell('left', setting, 'a class knows beginnings of Ethernet addresses only');
    else add(reading, setting, tag, 'macs', prefix);
  });
  for (const [keyword, condition] of Object.entries(SAYS)) {
    reading.each(reading.of(keyword), (setting) => {
      const { tag, value } = tagAndValue(setting);
      const anywhere = condition === 'vendorClass' || condition === 'userClass';
      add(reading, setting, tag, condition, pattern(value, anywhere));
    });
  }
  reading.each(reading.of('dhcp-match'), (setting) => match(setting, reading));
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

/** What dnsmasq compares: bytes in hex, else text, which may stand anywhere in what the machine says. */
function pattern({ text, quoted }: Field, anywhere: boolean): Pattern {
  if (!quoted && /^[0-9a-f]{2}(:([0-9a-f]{2}|\*))+$/i.test(text)) return { hex: text.replaceAll('*', '??') };
  return anywhere ? `*${text}*` : text;
}

/** Options whose presence or value a class can ask for; by number and by dnsmasq's names. */
function match(setting: Setting, reading: Reading) {
  const { sets, rest } = tagged(setting.fields);
  const [tag, option, value] = sets.length > 0 ? [sets[0], ...rest] : rest;
  if (tag === undefined || option === undefined) throw invalid(setting.place, 'dhcp-match needs a tag and an option');
  const name = option.text.replace(/^option:/, '');
  if (name === 'client-arch' || name === '93') {
    if (value === undefined) return reading.tell('left', setting, 'a class asks for an architecture by its number');
    const numbers = value.text.split(/\s+/).map(Number);
    if (numbers.some((number) => !Number.isInteger(number) || number < 0 || number > 65535)) {
      throw invalid(value.place, `${JSON.stringify(value.text)} is not the number of an architecture`);
    }
    for (const number of numbers) add(reading, setting, tag, 'arch', number);
    return;
  }
  if (name === 'vendor-class' || name === '60') {
    return add(
      reading,
      setting,
      tag,
      'vendorClass',
      value === undefined ? '*' : pattern({ ...value, text: `${value.text}*` }, false),
    );
  }
  if (name === 'user-class' || name === '77') {
    return add(reading, setting, tag, 'userClass', value === undefined ? '*' : pattern(value, true));
  }
  if ((name === '175' || name === 'ipxe') && value === undefined) {
    add(reading, setting, tag, 'userClass', 'iPXE', 'iPXE says its name in the user class too, which a class asks for');
    return;
  }
  reading.tell(
    'left',
    setting,
    'a class cannot ask for this option: write it by vendor class, user class or architecture',
  );
}

/** Adds one more value to a condition of the tag's class: any of them makes a member, as with the tag. */
function add(
  reading: Reading,
  setting: Setting,
  tag: Field,
  condition: Condition,
  value: Pattern | number,
  changed?: string,
): void {
  const { name, text } = reading.classOf(tag.text, setting.place);
  const others = CONDITIONS.filter((one) => one !== condition && text[one] !== undefined);
  if (others.length > 0) {
    const why = `class ${name} asks for something else already, and a class asks for all that it has: write a second class`;
    reading.tell('left', setting, why);
    return;
  }
  const conditions = text as { [C in Condition]?: (Pattern | number)[] };
  conditions[condition] = [...(conditions[condition] ?? []), value];
  reading.tell(changed === undefined ? 'taken' : 'changed', setting, changed ?? `class ${name}`);
}

/** What a class asks for. */
export const CONDITIONS = [
  'macs',
  'vendorClass',
  'userClass',
  'circuitId',
  'remoteId',
  'arch',
] as const satisfies readonly (keyof ClassText)[];
