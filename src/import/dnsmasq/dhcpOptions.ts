import { encodeNamedOption, OPTIONS } from '../../dhcp/options.ts';
import { formatIpv4, type Ipv4, parseIpv4 } from '../../net/ipv4.ts';
import { invalid } from '../invalid.ts';
import { leaseText } from './leaseText.ts';
import { OPTION_CODES } from './optionNames.ts';
import type { Reading } from './reading.ts';
import type { Field, Setting } from './settings.ts';
import { type Target, targets } from './tags.ts';
import { ipIn, plainFirst, tagged } from './values.ts';

type OptionLine = {
  readonly setting: Setting;
  readonly needs: readonly Field[];
  readonly code: number;
  readonly at: Field;
  readonly values: readonly Field[];
};

/** Writes what `dhcp-option` lines give: as the keys of a network where it has them, else as `options:`. */
export function draftOptions(reading: Reading): void {
  const lines: OptionLine[] = [];
  reading.each(reading.of('dhcp-option', 'dhcp-option-force'), (setting) => {
    const line = lineOf(setting, reading);
    if (line !== undefined) lines.push(line);
  });
  const given = (code: number) => (tag: string) =>
    lines.some((line) => line.code === code && line.needs.some(({ text }) => text === tag));
  reading.each(plainFirst(lines), (line) => write(line, given(line.code), reading));
  addOwnServices(lines, reading);
}

function lineOf(setting: Setting, reading: Reading): OptionLine | undefined {
  const { needs, sets, rest } = tagged(setting.fields);
  const wrapped = rest.find(({ text }) => /^(encap|vi-encap|vendor):/.test(text));
  if (wrapped !== undefined) {
    const why = 'options within options are written as bytes: `options: { vendor-encapsulated-options: { hex: ... } }`';
    reading.tell('left', setting, why);
    return undefined;
  }
  // Older configurations write a tag without `tag:`.
  const bare = rest.findIndex(({ text }) => /^(option6?:.*|\d+)$/.test(text));
  if (bare < 0) throw invalid(setting.place, 'this names no option', 'by number, or option:NAME');
  const [at, ...values] = rest.slice(bare);
  if (at === undefined) throw invalid(setting.place, 'this names no option');
  if (at.text.startsWith('option6:') || values.some(({ text }) => /^\[.*\]$/.test(text))) {
    reading.tell('left', setting, 'Reveille serves IPv4: keep the IPv6 part with its own server');
    return undefined;
  }
  const name = at.text.replace(/^option:/, '');
  const code = /^\d+$/.test(name) ? Number(name) : OPTION_CODES.get(name.toLowerCase());
  if (code === undefined)
    throw invalid(at.place, `dnsmasq has no option called ${JSON.stringify(name)}`, 'see `dnsmasq --help dhcp`');
  if (code > 254 && name !== 'server-ip-address') throw invalid(at.place, `${name} is not the number of an option`);
  return { setting, needs: [...needs, ...sets, ...rest.slice(0, bare)], code, at, values };
}

function write(line: OptionLine, given: (tag: string) => boolean, reading: Reading) {
  const { setting, needs, code, values } = line;
  const where = targets(needs, reading, given);
  if (typeof where === 'string') return reading.tell('left', setting, where);
  if (where.length === 0) return reading.tell('left', setting, 'there is no network that it is for');
  const notes = new Set<string>();
  for (const target of where) {
    const note = values.length === 0 ? nothing(code) : put(target, line, reading);
    if (note !== undefined) notes.add(note);
  }
  if (setting.keyword === 'dhcp-option-force') notes.add('it is sent to clients that ask for it');
  const told = [...notes].join('; ');
  return reading.tell(told === '' ? 'taken' : 'changed', setting, told === '' ? undefined : told);
}

/** An option without a value is not given, which is what a site does that says nothing of it. */
function nothing(code: number): string | undefined {
  return [3, 6, 12, 15, 28].includes(code) ? undefined : 'an option without a value is not sent';
}

/** Writes one option to one place; gives a note where it is not quite as it was. */
function put(target: Target, line: OptionLine, reading: Reading): string | undefined {
  const { code, at, values } = line;
  const server = target.kind === 'network' ? target.text.server : reading.networks[0]?.text.server;
  const ips = values.map(({ text }) => (text === '0.0.0.0' ? server : text));
  if (values.some(({ text }) => text === '0.0.0.0') && server === undefined) {
    return '0.0.0.0 stood for the address of this machine: write it';
  }
  if (code === 1) return 'the netmask comes from `subnet:`';
  if (code === 51) return leaseOf(target, values[0]);
  if (code === 255 || code === 54) return 'the address of the server comes from `server:`';
  const addresses = ips.filter((text) => text !== undefined);
  if (target.kind === 'network' && putKey(target.text, code, addresses, line)) return undefined;
  const value = written(code, values, addresses);
  const encoded = encodeNamedOption(code, value);
  if (typeof encoded === 'string') throw invalid(at.place, encoded);
  const key = OPTIONS.find((option) => option.code === code)?.names[0] ?? String(code);
  target.text.options = { ...target.text.options, [key]: value };
  return undefined;
}

function leaseOf(target: Target, value: Field | undefined): string | undefined {
  const lease = value === undefined ? undefined : leaseText(value.text);
  if (lease === undefined || target.kind === 'profile') return 'a lease lasts as the network or the class says';
  target.text.lease = lease;
  return undefined;
}

/** Where a network has a key of its own for an option. */
function putKey(
  network: (Target & { kind: 'network' })['text'],
  code: number,
  addresses: readonly string[],
  { values, at }: OptionLine,
): boolean {
  const ips = () =>
    addresses.map((text) =>
      formatIpv4(ipIn({ ...at, text, place: values.find((one) => one.text === text)?.place ?? at.place })),
    );
  const text = values.map((field) => field.text).join(',');
  if (code === 3 && values.length === 1) network.gateway = ips()[0] ?? '';
  else if (code === 6) network.dns = ips();
  else if (code === 42) network.ntp = ips();
  else if (code === 28) network.broadcast = ips()[0] ?? '';
  else if (code === 15) network.domain = text;
  else if (code === 119) network.search = values.map((field) => field.text);
  else if (code === 26 && /^\d+$/.test(text)) network.mtu = Number(text);
  else if (code === 121) network.routes = routes(values);
  else return false;
  return true;
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

/** A value as a site has it: of the option's own form where it has one, else by what dnsmasq would take it for. */
function written(code: number, values: readonly Field[], addresses: readonly string[]): unknown {
  const text = values.map((field) => field.text).join(',');
  const [first] = values;
  const quoted = values.some((field) => field.quoted);
  const number = !quoted && /^\d+$/.test(text) ? Number(text) : undefined;
  const allIps = !quoted && addresses.length > 0 && addresses.every((one) => parseIpv4(one) !== undefined);
  const known = OPTIONS.some((option) => option.code === code);
  const own: readonly unknown[] = [
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
function addOwnServices(lines: readonly OptionLine[], reading: Reading): void {
  const answersDns = !reading.of('port').some(({ fields }) => fields[0]?.text === '0');
  for (const { name, text, place } of reading.networks) {
    const said = (code: number) => lines.some((line) => line.code === code && line.needs.length === 0);
    const tell = (what: string, why: string) => reading.draft.remark('changed', place, what, why);
    if (text.gateway === undefined && !said(3)) {
      if (text.server === undefined)
        tell(`network ${name} without a router`, 'dnsmasq names itself there: write `gateway:`');
      else {
        text.gateway = text.server;
        tell(`network ${name} without a router`, 'dnsmasq names itself there, and so does `gateway:`');
      }
    }
    if (text.dns !== undefined || said(6) || !answersDns) continue;
    const stays = 'Reveille answers no DNS: keep dnsmasq running for names, or write other name servers';
    if (text.server === undefined)
      tell(`network ${name} without a name server`, `dnsmasq names itself there: write \`dns:\`. ${stays}`);
    else {
      text.dns = [text.server];
      tell(`network ${name} without a name server`, `dnsmasq names itself there, and so does \`dns:\`. ${stays}`);
    }
  }
}
