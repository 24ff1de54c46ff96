import type { Ipv4, Ipv4Range } from '../../model/ipv4.ts';
import { type Mac, parseMac } from '../../model/mac.ts';

/** Whom a file of pxelinux.cfg is for, by its name. */
export type ConfigFor =
  | { readonly kind: 'all' }
  | { readonly kind: 'mac'; readonly mac: Mac }
  /** The machines whose address begins with these hexadecimal digits. */
  | { readonly kind: 'addresses'; readonly range: Ipv4Range; readonly digits: number }
  | { readonly kind: 'uuid' }
  /** Not a name that pxelinux asks for, and why it seems to be one. */
  | { readonly kind: 'unasked'; readonly why: string };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Tells whom a configuration is for. pxelinux asks for its machine's UUID, `01-` and the MAC address in small letters, then
 * the IPv4 address in large hexadecimal digits, one digit less each time, and last `default`. `undefined` for a name that is
 * none of these: a file that others include, or a backup.
 */
export function configFor(name: string): ConfigFor | undefined {
  if (name === 'default') return { kind: 'all' };
  if (UUID.test(name)) return { kind: 'uuid' };
  const mac = /^01-/.test(name) ? parseMac(name.slice('01-'.length)) : undefined;
  if (mac !== undefined) {
    const asked = `01-${mac.replaceAll(':', '-')}`;
    return asked === name
      ? { kind: 'mac', mac }
      : { kind: 'unasked', why: `pxelinux asks for ${asked}, in small letters` };
  }
  if (/^[0-9a-f]{2}(-[0-9a-f]{2}){6,}$/i.test(name)) {
    return { kind: 'unasked', why: 'it is for a network that is not Ethernet, which Reveille does not boot from' };
  }
  if (!/^[0-9a-f]{1,8}$/i.test(name)) return undefined;
  if (name !== name.toUpperCase()) {
    const why = `pxelinux asks for ${name.toUpperCase()}, in large letters`;
    return { kind: 'unasked', why };
  }
  const first = Number.parseInt(name.padEnd(8, '0'), 16) as Ipv4;
  const last = Number.parseInt(name.padEnd(8, 'F'), 16) as Ipv4;
  return { kind: 'addresses', range: { first, last }, digits: name.length };
}
