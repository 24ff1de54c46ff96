import { parseIpv4 } from '../../model/ipv4.ts';
import { quoted } from '../../site/finding.ts';
import { INFINITE_LEASE_SECONDS } from '../../site/forms.ts';
import { invalid } from '../invalid.ts';
import type { Field } from './settings.ts';

/** The tags in front of a value: those that have to be set for it to count, and those that it sets itself. */
export type Tagged = {
  readonly needs: readonly Field[];
  readonly sets: readonly Field[];
  readonly rest: readonly Field[];
};

/** Takes `tag:` (or the older `net:`) and `set:` off the front of a value. */
export function tagged(fields: readonly Field[]): Tagged {
  const needs: Field[] = [];
  const sets: Field[] = [];
  let at = 0;
  for (; at < fields.length; at++) {
    const field = fields[at];
    const [, kind, name] = /^(tag|net|set):(.*)$/s.exec(field?.text ?? '') ?? [];
    if (field === undefined || kind === undefined || name === undefined) break;
    (kind === 'set' ? sets : needs).push({ ...field, text: name });
  }
  return { needs, sets, rest: fields.slice(at) };
}

const UNITS: { readonly [unit: string]: number } = { '': 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
/** The shortest lease that dnsmasq gives. */
const SHORTEST = 120;

/** A lease time in seconds: `12h`, `45m`, a number of seconds, `infinite`; `undefined` if the text is none. */
export function leaseSeconds(text: string): number | undefined {
  if (text === 'infinite') return INFINITE_LEASE_SECONDS;
  const [, digits, unit = ''] = /^(\d{1,10})([smhdw]?)$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return Math.max(SHORTEST, Math.min(Number(digits) * (UNITS[unit.toLowerCase()] ?? 1), INFINITE_LEASE_SECONDS));
}

/** Whether a value is about IPv6, which Reveille does not serve. */
export function isIpv6(text: string): boolean {
  return /^\[.*\]$/.test(text) || /::/.test(text) || /^([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$/i.test(text);
}

/** The IPv4 address that a field holds. Throws IMPORT_INVALID at it. */
export function ipIn(field: Field) {
  const ip = parseIpv4(field.text);
  if (ip === undefined) throw invalid(field.place, `${quoted(field.text)} is not an IPv4 address`);
  return ip;
}

/**
 * A hardware address as dnsmasq writes it, with `*` for any byte and perhaps a network type in front (`06-`). `undefined` if the
 * text is none.
 */
export function hardwareAddress(
  text: string,
): { readonly ethernet: boolean; readonly bytes: readonly string[] } | undefined {
  const [, type, address = ''] =
    /^(?:([0-9a-f]{1,2})-)?((?:[0-9a-f]{1,2}|\*)(?::(?:[0-9a-f]{1,2}|\*)){1,15})$/i.exec(text) ?? [];
  if (address === '') return undefined;
  const bytes = address.split(':').map((byte) => (byte === '*' ? byte : byte.toLowerCase().padStart(2, '0')));
  return { ethernet: (type === undefined || Number.parseInt(type, 16) === 1) && bytes.length === 6, bytes };
}

/** The addresses that begin so, as classes write them; `undefined` where wildcards stand in front of known bytes. */
export function macPrefix(bytes: readonly string[]): string | undefined {
  const known = bytes.indexOf('*');
  if (known < 0) return bytes.join(':');
  if (known === 0 || bytes.slice(known).some((byte) => byte !== '*')) return undefined;
  return `${bytes.slice(0, known).join(':')}:*`;
}
