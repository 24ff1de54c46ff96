import { type Ipv4, parseIpv4 } from '../../../model/ipv4.ts';
import { OPTION } from '../../../model/options.ts';
import { optionKey } from '../text/keys.ts';
import { type GivenOption, givenValue, saysOwnName } from './optionSettings.ts';
import type { Reading } from './reading.ts';
import type { Setting } from './scopes.ts';
import { carrySpaces, NOT_GIVEN } from './spaces.ts';
import { wordOf } from './words.ts';

/** What a scope gives to clients: options by number, and from where and which file they boot. */
export type Given = {
  readonly options: ReadonlyMap<number, GivenOption>;
  readonly nextServer?: { readonly ip: Ipv4; readonly from: Setting };
  readonly bootFile?: { readonly file: string; readonly from: Setting };
};

export const NOTHING: Given = { options: new Map() };

/**
 * Reads what the settings of a scope give. `around` is all that its clients are given, with what outer scopes say: an option space
 * may be named in one scope and filled in another. What cannot be given is reported.
 */
export function givenBy(
  settings: ReadonlyMap<string, Setting>,
  reading: Reading,
  around: ReadonlyMap<string, Setting> = settings,
): Given {
  const options = new Map<number, GivenOption>();
  for (const setting of settings.values()) {
    if (setting.kind !== 'option' || saysOwnName(setting)) continue;
    const absent = NOT_GIVEN.get(setting.option.space.toLowerCase());
    if (absent !== undefined) reading.tell('left', setting, absent.why, absent.weight);
    else if (setting.option.space === 'dhcp') {
      const read = reading.attempt(() => givenValue(setting, reading));
      if (read !== undefined) options.set(read.code, { name: setting.option.name, value: read.value, from: [setting] });
    }
  }
  carrySpaces(settings, around, options, reading);
  const nextServer = nextServerOf(settings, around, options, reading);
  const bootFile = bootFileOf(settings, options, reading);
  return {
    options,
    ...(nextServer === undefined ? {} : { nextServer }),
    ...(bootFile === undefined ? {} : { bootFile }),
  };
}

/** Whether settings name something to boot. */
export function namesFile(settings: ReadonlyMap<string, Setting>): boolean {
  return settings.has('filename') || settings.has(FILE_OPTION);
}

const FILE_OPTION = optionKey('dhcp', 'bootfile-name');

/** The boot server: `next-server`, else option 66 if it is an address and there is something to boot. */
function nextServerOf(
  settings: ReadonlyMap<string, Setting>,
  around: ReadonlyMap<string, Setting>,
  options: ReadonlyMap<number, GivenOption>,
  reading: Reading,
): Given['nextServer'] {
  const setting = settings.get('next-server');
  if (setting !== undefined) {
    const word = wordOf(setting);
    if (word === undefined) reading.tell('left', setting, 'it is computed for each client: write `nextServer:`');
    const ip = word === undefined ? undefined : (parseIpv4(word) ?? reading.context.resolved.get(word));
    if (ip !== undefined) return { ip, from: setting };
    if (word !== undefined) reading.tell('left', setting, 'this host name has no address here: write `nextServer:`');
    return undefined;
  }
  const option = options.get(OPTION.tftpServer.code);
  if (option === undefined || reading.namesServers) return undefined;
  if (!namesFile(around)) return undefined;
  const ip = typeof option.value.written === 'string' ? parseIpv4(option.value.written) : undefined;
  if (ip !== undefined) return { ip, from: option.from[0] };
  const why = 'given as it is; beside it this server is named as boot server (siaddr): write `nextServer:` for another';
  for (const from of option.from) reading.tell('changed', from, why);
  return undefined;
}

/** The boot file: `filename`, else option 67, which then is no option of its own. */
function bootFileOf(
  settings: ReadonlyMap<string, Setting>,
  options: Map<number, GivenOption>,
  reading: Reading,
): Given['bootFile'] {
  const setting = settings.get('filename');
  if (setting !== undefined) {
    const file = wordOf(setting);
    if (file === undefined) reading.tell('left', setting, 'it is computed for each client: write `bootFile:`');
    if (file === '') reading.tell('left', setting, 'a boot file that is named further out cannot be taken away again');
    return file === undefined || file === '' ? undefined : { file, from: setting };
  }
  const option = options.get(OPTION.bootFile.code);
  const written = option?.value.written;
  // Where `filename` is used as well, neither stands for the other.
  if (option === undefined || reading.namesFilesTwice || typeof written !== 'string' || written === '')
    return undefined;
  options.delete(OPTION.bootFile.code);
  return { file: written, from: option.from[0] };
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
