import { isIPv6 } from 'node:net';
import { formatIpv4, formatSubnet, type Ipv4, parseIpv4 } from '../../../model/ipv4.ts';
import { encode, ip as ipKind, names as namesKind } from '../../../model/optionKinds.ts';
import { encodeNamedOption, OPTION, OPTIONS } from '../../../model/options.ts';
import { quoted } from '../../../site/finding.ts';
import { invalid } from '../../invalid.ts';
import { reason, type Why } from '../../reason.ts';
import { hexBytes } from '../text/data.ts';
import { isOn, isText } from '../text/forms.ts';
import { formatHex } from '../text/hex.ts';
import type { Datum, OptionType } from '../text/tree.ts';

/** An option's value: as an operator writes it where it has such a form, and its payload. */
export type OptionValue = { readonly written: unknown; readonly bytes: Uint8Array };

/** Addresses of the host names that a configuration uses. */
export type Resolved = ReadonlyMap<string, Ipv4>;

/**
 * The value that the items of a statement have for an option of this type; the reason if dhcpd takes them and they mean
 * nothing here, such as a host name without an address. Throws IMPORT_INVALID at an item that does not fit.
 */
export function optionValue(
  type: OptionType,
  items: readonly Datum[],
  end: Datum,
  resolved: Resolved,
): OptionValue | Why {
  const queue = new Queue(items, end);
  try {
    const value = read(type, queue, resolved);
    const extra = queue.peek();
    if (extra !== undefined) throw invalid(extra.place, `expected the end of the value, found ${quoted(extra.text)}`);
    return value;
  } catch (error) {
    if (error instanceof Meaningless) return error.why;
    throw error;
  }
}

/** Of an item that dhcpd takes and that means nothing here: the reason. */
class Meaningless extends Error {
  readonly why: Why;

  constructor(why: Why) {
    super(why.toString());
    this.why = why;
  }
}

/** The items of a value, taken one by one. */
class Queue {
  readonly #items: readonly Datum[];
  readonly #end: Datum;
  #at = 0;

  constructor(items: readonly Datum[], end: Datum) {
    this.#items = items;
    this.#end = end;
  }

  peek(): Datum | undefined {
    return this.#items[this.#at];
  }

  take(what: string): Datum {
    const datum = this.#items[this.#at++];
    if (datum === undefined) throw invalid(this.#end.place, `expected ${what} at the end of "${this.#end.text}"`);
    return datum;
  }
}

function read(type: OptionType, queue: Queue, resolved: Resolved): OptionValue {
  switch (type.kind) {
    case 'integer':
      return integer(queue.take('a number'), type.bits, type.signed);
    case 'flag': {
      const datum = queue.take('true or false');
      const value = isOn(datum.text);
      if (value === undefined) throw invalid(datum.place, `expected true or false, found ${quoted(datum.text)}`);
      return { written: value, bytes: Uint8Array.of(value ? 1 : 0) };
    }
    case 'ip': {
      const ip = address(queue.take('an IPv4 address'), resolved);
      return { written: formatIpv4(ip), bytes: encode(ipKind, ip) };
    }
    case 'text': {
      const datum = queue.take('text in quotes');
      if (!isText(datum)) throw invalid(datum.place, `expected text in quotes, found ${quoted(datum.text)}`);
      return { written: datum.text, bytes: textBytes(datum) };
    }
    case 'string': {
      const datum = queue.take('text in quotes or hex bytes');
      if (datum.kind !== 'text') return hexValue(hexBytes(datum));
      return datum.escaped ? hexValue(textBytes(datum)) : { written: datum.text, bytes: textBytes(datum) };
    }
    case 'domain':
    case 'domains': {
      // dhcpd takes a single name without quotes, and those of a list in quotes.
      const [kind, what] =
        type.kind === 'domain' ? (['words', 'a domain name'] as const) : (['text', 'a domain name in quotes'] as const);
      const list = [domain(queue.take(what), kind, what)];
      while (type.kind === 'domains' && queue.peek() !== undefined) list.push(domain(queue.take(what), kind, what));
      return { written: list, bytes: encode(namesKind, list) };
    }
    case 'nothing':
      return hexValue(new Uint8Array());
    case 'space': {
      const datum = queue.take('hex bytes');
      return hexValue(datum.kind === 'text' ? textBytes(datum) : hexBytes(datum));
    }
    case 'ip6': {
      const { text: address, place } = queue.take('an IPv6 address');
      if (!isIPv6(address)) throw invalid(place, `expected an IPv6 address, found ${quoted(address)}`);
      return hexValue(ipv6Bytes(address));
    }
    case 'record': {
      const parts = type.parts.map((part) => read(part, queue, resolved));
      return hexValue(joined(parts));
    }
    case 'array': {
      const list = [read(type.of, queue, resolved)];
      while (queue.peek() !== undefined) list.push(read(type.of, queue, resolved));
      const bytes = joined(list);
      return type.of.kind === 'ip' || type.of.kind === 'integer'
        ? { written: list.map(({ written }) => written), bytes }
        : hexValue(bytes);
    }
  }
}

function integer({ text, place }: Datum, bits: 8 | 16 | 32, signed: boolean): OptionValue {
  const value =
    text.toLowerCase() === 'infinite' ? 0xffffffff : /^(-?\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : Number.NaN;
  const least = signed ? -(2 ** (bits - 1)) : 0;
  const most = 2 ** (signed ? bits - 1 : bits) - 1;
  if (!(value >= least && value <= most)) {
    throw invalid(place, `expected a number from ${least} to ${most}, found ${quoted(text)}`);
  }
  const bytes = new Uint8Array(bits / 8);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(value / 2 ** (bits - 8 * (i + 1)));
  return { written: value, bytes };
}

/** The 16 bytes of a well-formed IPv6 address. */
function ipv6Bytes(address: string): Uint8Array {
  // A URL writes it without an IPv4 part, and with one `::` at most.
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const all = [...before, ...new Array(8 - before.length - after.length).fill(0), ...after];
  return Uint8Array.from(all.flatMap((group: number) => [group >> 8, group & 255]));
}

/** The address that an item says, or that its host name stands for. */
function address({ text, place, kind }: Datum, resolved: Resolved): Ipv4 {
  const ip = kind === 'words' ? parseIpv4(text) : undefined;
  if (ip !== undefined) return ip;
  if (kind === 'text' || /^[0-9.]+$/.test(text) || !/^[A-Za-z0-9_.-]+$/.test(text)) {
    throw invalid(place, `expected an IPv4 address, found ${quoted(text)}`);
  }
  const found = resolved.get(text);
  if (found === undefined) {
    throw new Meaningless('a host name in it has no address here: write the address under `options:`');
  }
  return found;
}

function domain({ kind, text, place }: Datum, wanted: Datum['kind'], what: string): string {
  if (kind !== wanted) throw invalid(place, `expected ${what}, found ${quoted(text)}`);
  const name = text.replace(/\.$/, '');
  if (namesKind.read(name) === undefined) {
    throw new Meaningless(reason`${quoted(text)} is no domain name: write each name for itself under \`options:\``);
  }
  return name;
}

/** The bytes of a text: each character one byte where it was written with escapes, UTF-8 else. */
export function textBytes({ text, escaped }: { readonly text: string; readonly escaped?: boolean }): Uint8Array {
  return Uint8Array.from(Buffer.from(text, escaped ? 'latin1' : 'utf8'));
}

function hexValue(bytes: Uint8Array): OptionValue {
  return { written: undefined, bytes };
}

function joined(parts: readonly OptionValue[]): Uint8Array {
  return Uint8Array.from(parts.flatMap(({ bytes }) => [...bytes]));
}

/**
 * The entry of `options:` that sends these bytes as option `code`: by our name of the option and in the form that people
 * write where there is one, in hex else. The answer is a sentence if no site may set this option.
 */
export function optionEntry(
  code: number,
  name: string,
  { written, bytes }: OptionValue,
): readonly [string, unknown] | string {
  const known = OPTIONS.find((option) => option.code === code);
  const key = known === undefined ? String(code) : known.names.includes(name) ? name : (known.names[0] ?? String(code));
  const routes = known !== undefined && ROUTES.has(code) ? writtenRoutes(bytes) : undefined;
  const forms = [routes, ...(known === undefined ? [] : [written]), ...forced(written), { hex: formatHex(bytes) }];
  let refusal = `option ${code} cannot be set`;
  for (const form of forms) {
    if (form === undefined) continue;
    const encoded = encodeNamedOption(known === undefined ? code : key, form);
    if (typeof encoded === 'string') refusal = encoded;
    else if (Buffer.from(encoded.bytes).equals(bytes)) return [key, form];
  }
  return refusal;
}

/** Options of classless static routes, which dhcpd has as lists of numbers. */
const ROUTES = new Set([121, 249]);

function writtenRoutes(bytes: Uint8Array): unknown {
  return OPTION.routes.kind.decode(bytes)?.map(({ to, via }) => ({ to: formatSubnet(to), via: formatIpv4(via) }));
}

/** What says an option's form beside its value, for options that are known by number only. */
function forced(written: unknown): readonly unknown[] {
  if (typeof written === 'string') return parseIpv4(written) === undefined ? [{ text: written }] : [{ ip: written }];
  if (typeof written === 'boolean') return [{ flag: written }];
  if (typeof written === 'number') return [{ u8: written }, { u16: written }, { u32: written }, { i32: written }];
  if (!Array.isArray(written)) return [];
  return typeof written[0] === 'string' ? [{ ips: written }, { names: written }] : [];
}
