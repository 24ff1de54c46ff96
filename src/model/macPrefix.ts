import { type Mac, parseMac } from './mac.ts';

/** The addresses whose first `bits` bits (0 to 48) are those of `mac`, whose other bits are zero. 48 bits: one address. */
export type MacPrefix = { readonly mac: Mac; readonly bits: number };

const OCTETS = /^([0-9a-f]{2}[:-]){1,5}\*$/;

/**
 * Reads an address, `52:54:00:*` (whole octets), or `00:1a:4b:00:00:00/24` (any number of bits). `undefined` if it is none of
 * them, or if bits beyond the prefix are set.
 */
export function parseMacPrefix(text: string): MacPrefix | undefined {
  const lower = text.trim().toLowerCase();
  if (OCTETS.test(lower)) {
    const octets = lower.slice(0, -2).split(/[:-]/);
    const mac = parseMac([...octets, ...Array<string>(6 - octets.length).fill('00')].join(':'));
    return mac && { mac, bits: octets.length * 8 };
  }
  const [address = '', length, ...rest] = lower.split('/');
  const mac = parseMac(address);
  if (mac === undefined || rest.length > 0) return undefined;
  if (length === undefined) return { mac, bits: 48 };
  const bits = Number(length);
  if (!/^[0-9]{1,2}$/.test(length) || bits > 48 || macNumber(mac) % 2 ** (48 - bits) !== 0) return undefined;
  return { mac, bits };
}

/** A test, made once, of whether an address begins with these bits. */
export function beginsWith({ mac, bits }: MacPrefix): (mac: Mac) => boolean {
  const octets = bits >> 3;
  const start = mac.slice(0, octets * 3);
  const shift = 8 - (bits & 7);
  if (shift === 8) return (other) => other.startsWith(start);
  const wanted = octetAt(mac, octets) >> shift;
  return (other) => other.startsWith(start) && octetAt(other, octets) >> shift === wanted;
}

function octetAt(mac: Mac, index: number): number {
  return Number.parseInt(mac.slice(index * 3, index * 3 + 2), 16);
}

function macNumber(mac: Mac): number {
  return Number.parseInt(mac.replaceAll(':', ''), 16);
}
