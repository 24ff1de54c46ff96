import { OPTION } from '../../dhcp/options.ts';
import { type Ipv4, parseIpv4 } from '../../net/ipv4.ts';
import { quoted } from '../../site/finding.ts';
import { invalid } from '../invalid.ts';
import { constantOf } from './constants.ts';
import { type OptionValue, optionValue } from './optionValues.ts';
import type { Reading } from './reading.ts';
import type { Setting } from './scopes.ts';
import { showOption } from './show.ts';
import type { Datum, OptionName, StatementOf } from './tree.ts';
import { wordOf } from './words.ts';

/** An option that a scope gives: its name in dhcpd.conf, its value, and the statement that says so. */
export type GivenOption = { readonly name: string; readonly value: OptionValue; readonly from: Setting };

/** What a scope gives to clients: options by number, and from where and which file they boot. */
export type Given = {
  readonly options: ReadonlyMap<number, GivenOption>;
  readonly nextServer?: Ipv4;
  readonly bootFile?: string;
  /** The name that clients are told, if it is the host's own. */
  readonly ownName: boolean;
};

/** Reads what the settings of a scope give. What cannot be given is told. */
export function givenBy(settings: ReadonlyMap<string, Setting>, reading: Reading): Given {
  const options = new Map<number, GivenOption>();
  const carried = new Map<string, { from: Setting; bytes: number[] }>();
  let ownName = false;
  for (const setting of settings.values()) {
    if (setting.kind !== 'option') continue;
    if (saysOwnName(setting)) ownName = true;
    else reading.attempt(() => readOption(setting, options, carried, reading));
  }
  for (const [space, { from, bytes }] of carried) carry(space, from, bytes, settings, options, reading);

  const nextServer = reading.attempt(() => nextServerOf(settings, options, reading));
  const bootFile = bootFileOf(settings, options, reading);
  options.delete(OPTION.tftpServer.code);
  options.delete(OPTION.bootFile.code);
  return {
    options,
    ownName,
    ...(nextServer === undefined ? {} : { nextServer }),
    ...(bootFile === undefined ? {} : { bootFile }),
  };
}

/** `option host-name = host-decl-name`. */
function saysOwnName({ option, value }: StatementOf<'option'>): boolean {
  if (showOption(option) !== 'host-name' || !('expression' in value)) return false;
  const { expression } = value;
  return expression.kind === 'word' && expression.word === 'host-decl-name';
}

/** Spaces whose options are not for clients. */
const NOT_GIVEN: { readonly [space: string]: string } = {
  agent: 'it is for relays to send',
  fqdn: 'Reveille does not update DNS',
  dhcp6: 'Reveille serves IPv4',
};

function readOption(
  setting: StatementOf<'option'>,
  options: Map<number, GivenOption>,
  carried: Map<string, { from: Setting; bytes: number[] }>,
  reading: Reading,
): void {
  const { option, place } = setting;
  const why = NOT_GIVEN[option.space];
  if (why !== undefined) {
    reading.tell('left', setting, why);
    return;
  }
  const known = reading.options.find(option);
  if (known === undefined) throw unknownOption(option, setting, reading);
  const items = itemsOf(setting, reading);
  if (items === undefined) return;
  const name: Datum = { kind: 'words', text: `option ${showOption(option)}`, place };
  const value = optionValue(known.type, items, name, reading.around.resolved);
  if (value === undefined) {
    reading.tell('left', setting, 'a host name in it has no address here: write the address under `options:`');
    return;
  }
  if (option.space === 'dhcp') options.set(known.code, { name: option.name, value, from: setting });
  else {
    const bytes = carried.get(option.space)?.bytes ?? [];
    const { code, length } = reading.options.widths(option.space);
    bytes.push(...bigEndian(known.code, code), ...bigEndian(value.bytes.length, length), ...value.bytes);
    carried.set(option.space, { from: setting, bytes });
  }
}

/** What is written for an option; of an expression its value, if it is one that does not depend on the client. */
function itemsOf(setting: StatementOf<'option'>, reading: Reading): readonly Datum[] | undefined {
  const { value } = setting;
  if ('data' in value) return value.data.flat();
  const constant = constantOf(value.expression);
  if (constant === undefined)
    reading.tell('left', setting, 'it is computed for each client: write it where it is known');
  return constant === undefined ? undefined : [constant];
}

/** Puts the options of a space into the one that carries them: option 43 for the vendor's. */
function carry(
  space: string,
  from: Setting,
  bytes: readonly number[],
  settings: ReadonlyMap<string, Setting>,
  options: Map<number, GivenOption>,
  reading: Reading,
): void {
  const vendor = settings.get('vendor-option-space');
  const isVendor = vendor !== undefined && wordOf(vendor)?.toLowerCase() === space.toLowerCase();
  const carrier = isVendor ? { code: OPTION.vendor.code } : reading.options.carrier(space);
  if (carrier === undefined) {
    reading.tell(
      'left',
      from,
      `no option carries those of space ${space}: there is no vendor-option-space ${space} here`,
    );
    return;
  }
  if (options.has(carrier.code)) return;
  const value = { written: undefined, bytes: Uint8Array.from(bytes) };
  options.set(carrier.code, { name: isVendor ? 'vendor-encapsulated-options' : space, value, from });
}

function bigEndian(value: number, width: number): number[] {
  return Array.from({ length: width }, (_, i) => (value >>> (8 * (width - 1 - i))) & 255);
}

function unknownOption(option: OptionName, { place }: Setting, reading: Reading): Error {
  const name = showOption(option);
  const near = reading.options.names.includes(option.name) ? `it is called ${option.name}` : undefined;
  const hint = near ?? `define it before: option ${name} code NUMBER = TYPE;`;
  return invalid(place, `there is no option ${quoted(name)}`, hint);
}

/** The boot server: `next-server`, else option 66 if it is an address. */
function nextServerOf(
  settings: ReadonlyMap<string, Setting>,
  options: ReadonlyMap<number, GivenOption>,
  reading: Reading,
): Ipv4 | undefined {
  const setting = settings.get('next-server');
  const option = options.get(OPTION.tftpServer.code);
  const word = setting === undefined ? undefined : wordOf(setting);
  if (setting !== undefined && word !== undefined) {
    const ip = parseIpv4(word) ?? reading.around.resolved.get(word);
    if (ip === undefined) reading.tell('left', setting, 'this host name has no address here: write `nextServer:`');
    return ip;
  }
  if (setting !== undefined) reading.tell('left', setting, 'it is computed for each client: write `nextServer:`');
  if (option === undefined) return undefined;
  const ip = typeof option.value.written === 'string' ? parseIpv4(option.value.written) : undefined;
  if (ip === undefined)
    reading.tell('changed', option.from, 'the boot server is told by its address: write `nextServer:`');
  return ip;
}

/** The boot file: `filename`, else option 67. */
function bootFileOf(
  settings: ReadonlyMap<string, Setting>,
  options: ReadonlyMap<number, GivenOption>,
  reading: Reading,
): string | undefined {
  const setting = settings.get('filename');
  if (setting !== undefined) {
    const word = wordOf(setting);
    if (word === undefined) reading.tell('left', setting, 'it is computed for each client: write `bootFile:`');
    return word === '' ? undefined : word;
  }
  const written = options.get(OPTION.bootFile.code)?.value.written;
  return typeof written === 'string' && written !== '' ? written : undefined;
}

/** Whether two scopes give an option alike. */
export function sameOption(a: GivenOption | undefined, b: GivenOption | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.from(a.value.bytes).equals(b.value.bytes);
}

/** `10.0.0.1, 10.0.0.2` of an option that carries addresses. */
export function addressesOf(option: GivenOption | undefined): readonly string[] {
  const written = option?.value.written;
  const list = Array.isArray(written) ? written : written === undefined ? [] : [written];
  return list.filter((item): item is string => typeof item === 'string' && parseIpv4(item) !== undefined);
}
