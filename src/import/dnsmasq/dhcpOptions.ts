import { formatIpv4, type Ipv4, inSubnet, parseIpv4, type Subnet } from '../../model/ipv4.ts';
import { encodeNamedOption, OPTIONS } from '../../model/options.ts';
import type { Path } from '../../site/yaml.ts';
import type { Why } from '../reason.ts';
import { BOOT_OPTIONS } from './bootLines.ts';
import { distribute, type Given, type Placement, type Request } from './distribute.ts';
import { leaseText } from './leaseText.ts';
import { chosenOption, type OptionLine, optionLines } from './optionLines.ts';
import { ownerAt, pathsOf, tellOutcomes, withoutRests } from './outcomes.ts';
import type { Drafted, NetworkText, Reading } from './reading.ts';
import type { Field } from './settings.ts';
import { tagOf } from './tagBook.ts';
import { ipIn } from './values.ts';

/** The values of a line as text, with the address of this server where 0.0.0.0 stands for it; none if that is not known. */
type Said = { readonly texts?: readonly string[] };
type Written = { readonly paths: readonly Path[]; readonly notes: readonly Why[] };

/** Options that dnsmasq sends by itself, so that one without a value means that they are not sent. */
const BY_ITSELF: ReadonlySet<number> = new Set([3, 6, 12, 15]);

/** Why some options have no place, by their code. */
const ELSEWHERE: ReadonlyMap<number, string> = new Map([
  [1, 'the netmask comes from `subnet:`'],
  [54, 'the address of the server comes from `server:`'],
]);

/** Writes what `dhcp-option` lines give: as the keys of a network where it has them, else as `options:`. */
export function draftOptions(reading: Reading): void {
  const byCode = new Map<number, OptionLine[]>();
  reading.each(optionLines(reading), (line) => {
    if (BOOT_OPTIONS.has(line.code)) return;
    const elsewhere = ELSEWHERE.get(line.code);
    if (elsewhere !== undefined) reading.left(line.setting, elsewhere, 'server');
    else if (line.values.length === 0 && !BY_ITSELF.has(line.code)) {
      reading.left(line.setting, 'an option without a value is not sent');
    } else {
      const wrong = wrongIn(line, reading);
      if (wrong !== undefined) return reading.left(line.setting, wrong);
      byCode.set(line.code, [...(byCode.get(line.code) ?? []), line]);
    }
  });
  for (const lines of byCode.values()) draftOption(lines, reading);
  addOwnServices(reading);
}

function draftOption(lines: readonly OptionLine[], reading: Reading): void {
  const mentioned = lines.flatMap(({ needs }) => needs.map(({ text }) => tagOf(text)));
  const decide = (request: Request, active: ReadonlySet<number>): Given<Said> | undefined => {
    const line = chosenOption(
      lines.filter((_, i) => active.has(i)),
      request,
    );
    if (line === undefined) return undefined;
    const value = line.values.length === 0 ? undefined : saidIn(line, request.network);
    return { line: lines.indexOf(line), value };
  };
  const outcome = withoutRests(lines, (active) => distribute(reading, mentioned, (request) => decide(request, active)));
  const written = new Map<Placement<Said>, Written>();
  for (const placement of outcome.settled.placements) {
    const line = lines[placement.line];
    if (line !== undefined) written.set(placement, write(placement, line, reading));
  }
  for (const { line, network } of outcome.settled.bare) network.without.add(lines[line]?.code ?? 0);
  tellOutcomes(lines, outcome, written, reading);
}

function saidIn({ values }: OptionLine, { text: { server } }: Drafted): Said {
  const texts = values.map(({ text, quoted }) => (text === '0.0.0.0' && !quoted ? server : text));
  return texts.every((text) => text !== undefined) ? { texts } : {};
}

/** Why the value of a line is none that a site can have. Throws IMPORT_INVALID where dnsmasq refuses it too. */
function wrongIn(line: OptionLine, reading: Reading): string | undefined {
  if (line.values.length === 0 || line.code === 51) return undefined;
  const texts = line.values.map(({ text }) => text);
  const isKey = putKey({ text: {} as NetworkText }, line, texts) !== undefined;
  const isForNetworks = line.needs.length === 0 || reading.networks.length === 0;
  const option = encoded(line, texts);
  return typeof option === 'string' && !(isKey && isForNetworks) ? option : undefined;
}

/** The name and the value of an option as `options:` has them; a text says why it cannot. */
function encoded(
  { code, values }: OptionLine,
  texts: readonly string[],
): { readonly key: string; readonly value: unknown } | string {
  const value = written(code, values, texts);
  const bytes = encodeNamedOption(code, value);
  const key = OPTIONS.find((option) => option.code === code)?.names[0] ?? String(code);
  return typeof bytes === 'string' ? bytes : { key, value };
}

/** Writes one option to one target, of which a class may be several; says what is not as it was. */
function write({ target, value: { texts } }: Placement<Said>, line: OptionLine, reading: Reading): Written {
  if (texts === undefined) {
    return { paths: [], notes: ['0.0.0.0 stands for the address of this machine, which is not known: write it'] };
  }
  const notes = line.setting.keyword === 'dhcp-option-force' ? ['it is sent to clients that ask for it'] : [];
  const paths = pathsOf(target, reading).map((path): Path | undefined => {
    const owner = ownerAt(path, reading);
    if (line.code === 51) {
      const lease = leaseText(texts[0] ?? '');
      if (lease === undefined || target.kind === 'profile') return undefined;
      (owner as { lease?: string }).lease = lease;
      return [...path, 'lease'];
    }
    const key = target.kind === 'network' ? putKey(target.network, line, texts) : undefined;
    if (key !== undefined) return [...path, key];
    const option = encoded(line, texts);
    if (typeof option === 'string') return undefined;
    owner.options = { ...owner.options, [option.key]: option.value };
    return [...path, 'options', option.key];
  });
  const found = paths.filter((path) => path !== undefined);
  return {
    paths: found,
    notes: found.length < paths.length ? [...notes, 'a lease lasts as the network or the class says'] : notes,
  };
}

/** Where a network has a key of its own for an option. */
function putKey(
  { text: network, subnet }: { readonly text: NetworkText; readonly subnet?: Subnet },
  { code, values, at }: OptionLine,
  addresses: readonly string[],
): keyof NetworkText | undefined {
  const ips = () =>
    addresses.map((text) =>
      formatIpv4(ipIn({ ...at, text, place: values.find((one) => one.text === text)?.place ?? at.place })),
    );
  const text = values.map((field) => field.text).join(',');
  const put = <K extends keyof NetworkText>(key: K, value: NetworkText[K]): K => {
    network[key] = value;
    return key;
  };
  // What lies outside of the subnet is no router of it, but clients get it all the same.
  const isInside = (ip: string | undefined) =>
    !subnet || ip === undefined || inSubnet(subnet, parseIpv4(ip) ?? subnet.base);
  if (code === 3 && values.length === 1 && ips().every(isInside)) return put('gateway', ips()[0] ?? '');
  if (code === 6) return put('dns', ips());
  if (code === 42) return put('ntp', ips());
  if (code === 28 && ips().every(isInside)) return put('broadcast', ips()[0] ?? '');
  if (code === 15) return put('domain', text);
  if (code === 119)
    return put(
      'search',
      values.map((field) => field.text),
    );
  if (code === 26 && /^\d+$/.test(text)) return put('mtu', Number(text));
  const list = code === 121 ? routes(values) : [];
  return list.length > 0 && list.every(({ via }) => via === '0.0.0.0' || isInside(via))
    ? put('routes', list)
    : undefined;
}

function routes(values: readonly Field[]): { to: string; via: string }[] {
  const list: { to: string; via: string }[] = [];
  for (let i = 0; i + 1 < values.length; i += 2) {
    const [to, via] = [values[i], values[i + 1]];
    if (to === undefined || via === undefined) break;
    const [base = '', mask = '32'] = to.text.split('/');
    const ip = ipIn({ ...to, text: base });
    const bits = mask.includes('.') ? onesIn(ipIn({ ...to, text: mask })) : Number(mask);
    list.push({ to: `${formatIpv4(ip)}/${bits}`, via: formatIpv4(ipIn(via)) });
  }
  return list;
}

function onesIn(mask: Ipv4): number {
  return mask.toString(2).replaceAll('0', '').length;
}

/** Options whose value is a time, which may have a unit. */
const TIMES: ReadonlySet<number> = new Set([58, 59]);
const SECONDS: { readonly [unit: string]: number } = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** A value as a site has it: of the option's own form where it has one, else by what dnsmasq would take it for. */
function written(code: number, values: readonly Field[], addresses: readonly string[]): unknown {
  const text = values.map((field) => field.text).join(',');
  const [first] = values;
  const quoted = values.some((field) => field.quoted);
  const number = !quoted && /^\d+$/.test(text) ? Number(text) : undefined;
  const allIps = !quoted && addresses.length > 0 && addresses.every((one) => parseIpv4(one) !== undefined);
  const known = OPTIONS.some((option) => option.code === code);
  const [, time, unit = ''] = (TIMES.has(code) && /^(\d{1,9})([smhdw])$/i.exec(text)) || [];
  const own: readonly unknown[] = [
    ...(time === undefined ? [] : [Number(time) * (SECONDS[unit.toLowerCase()] ?? 1)]),
    ...(code === 121 || code === 249 ? [routes(values)] : []),
    ...(allIps ? [addresses, addresses[0]] : []),
    ...(number === undefined ? [] : [number, number === 1, values.map((field) => Number(field.text))]),
    ...(known && code !== 43 ? [values.map((field) => field.text), text] : []),
  ];
  const fitting = known ? own.find((value) => typeof encodeNamedOption(code, value) !== 'string') : undefined;
  if (fitting !== undefined) return fitting;
  if (allIps) return { ips: addresses };
  if (!quoted && first !== undefined && /^[0-9a-f]{1,2}(:[0-9a-f]{1,2})+$/i.test(text)) {
    return {
      hex: text
        .split(':')
        .map((byte) => byte.padStart(2, '0'))
        .join(':'),
    };
  }
  const [, digits, width] = (!quoted && /^(\d+)([bsi]?)$/.exec(text)) || [];
  if (digits !== undefined && Number(digits) <= 0xffffffff) {
    const least = Number(digits) < 256 ? 'u8' : Number(digits) < 65536 ? 'u16' : 'u32';
    return { [{ b: 'u8', s: 'u16', i: 'u32' }[width ?? ''] ?? least]: Number(digits) };
  }
  return { text };
}

/** dnsmasq names itself as router and name server where no line says otherwise. */
function addOwnServices(reading: Reading): void {
  const answersDns = !reading.of('port').some(({ fields }) => fields[0]?.text === '0');
  for (const { name, text, place, without } of reading.networks) {
    const tell = (what: string, why: string) => reading.draft.remark('changed', place, what, why);
    if (text.gateway === undefined && text.options?.routers === undefined && !without.has(3)) {
      if (text.server === undefined)
        tell(`network ${name} without a router`, 'dnsmasq names itself there: write `gateway:`');
      else {
        text.gateway = text.server;
        tell(`network ${name} without a router`, 'dnsmasq names itself there, and so does `gateway:`');
      }
    }
    if (text.dns !== undefined || without.has(6) || !answersDns) continue;
    const stays = 'Reveille answers no DNS: keep dnsmasq running for names, or write other name servers';
    if (text.server === undefined)
      tell(`network ${name} without a name server`, `dnsmasq names itself there: write \`dns:\`. ${stays}`);
    else {
      text.dns = [text.server];
      tell(`network ${name} without a name server`, `dnsmasq names itself there, and so does \`dns:\`. ${stays}`);
    }
  }
}
