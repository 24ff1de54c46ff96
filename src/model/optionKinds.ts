import { decodeNames, isDomainName, type NameForm, namesLength, writeNames } from './domainNames.ts';
import { formatIpv4, formatSubnet, type Ipv4, netmaskOf, parseIpv4, parseSubnet, type Subnet } from './ipv4.ts';
import type { Route } from './network.ts';

/**
 * One kind of option payload: what an operator may write for it, and its wire form. `decode` answers `undefined` for
 * bytes that are not of this kind, whatever their length. `write` puts `length(value)` bytes at `at`.
 */
export type Kind<T> = {
  /** What an operator is to write, for error messages. */
  readonly words: string;
  read(written: unknown): T | undefined;
  length(value: T): number;
  write(value: T, into: Uint8Array, at: number): void;
  decode(bytes: Uint8Array): T | undefined;
  /** The value as people write it. */
  show(value: T): string;
};

/** The payload of `value`, in bytes of its own. */
export function encode<T>(kind: Kind<T>, value: T): Uint8Array {
  const bytes = new Uint8Array(kind.length(value));
  kind.write(value, bytes, 0);
  return bytes;
}

export const ip: Kind<Ipv4> = {
  words: 'an IPv4 address',
  read: (written) => (typeof written === 'string' ? parseIpv4(written) : undefined),
  length: () => 4,
  write: writeUint(4),
  decode: (bytes) => (bytes.length === 4 ? (readUint(bytes, 0, 4) as Ipv4) : undefined),
  show: formatIpv4,
};

export const ips: Kind<readonly Ipv4[]> = listOf(ip, 4, 'an IPv4 address or a list of them');

export const u8 = unsigned(1);
export const u16 = unsigned(2);
export const u32 = unsigned(4);
export const u16s: Kind<readonly number[]> = listOf(u16, 2, 'a number from 0 to 65535 or a list of them');

export const i32: Kind<number> = {
  words: 'a whole number from -2147483648 to 2147483647',
  read: (written) => (typeof written === 'number' && (written | 0) === written ? written : undefined),
  length: () => 4,
  write: writeUint(4),
  decode: (bytes) => (bytes.length === 4 ? readUint(bytes, 0, 4) | 0 : undefined),
  show: String,
};

export const flag: Kind<boolean> = {
  words: 'true or false',
  read: (written) => (typeof written === 'boolean' ? written : undefined),
  length: () => 1,
  write: (value, into, at) => {
    into[at] = value ? 1 : 0;
  },
  decode: (bytes) => (bytes.length === 1 && (bytes[0] ?? 2) < 2 ? bytes[0] === 1 : undefined),
  show: String,
};

/** Text goes out as UTF-8 without a NUL; a client's trailing NULs are dropped, as RFC 2132 section 2 asks. */
export const text: Kind<string> = {
  words: 'text',
  read: (written) => (typeof written === 'string' && written !== '' ? written : undefined),
  length: (value) => Buffer.byteLength(value),
  write: (value, into, at) => {
    Buffer.from(into.buffer, into.byteOffset, into.length).write(value, at);
  },
  decode: (bytes) => {
    let end = bytes.length;
    while (end > 0 && bytes[end - 1] === 0) end--;
    return end === 0 ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, end).toString();
  },
  show: (value) => value,
};

export const bytes: Kind<Uint8Array> = {
  words: 'bytes in hex (06:01:08 or 0x060108) or a list of numbers from 0 to 255',
  read: (written) => {
    if (Array.isArray(written)) {
      return written.every((byte) => u8.read(byte) !== undefined) ? Uint8Array.from(written) : undefined;
    }
    if (typeof written !== 'string') return undefined;
    const digits = written.startsWith('0x') ? written.slice(2) : written.replaceAll(/[:-]/g, '');
    return /^([0-9a-f]{2})+$/i.test(digits) ? Uint8Array.from(Buffer.from(digits, 'hex')) : undefined;
  },
  length: (value) => value.length,
  write: (value, into, at) => into.set(value, at),
  decode: (value) => value,
  show: (value) => Buffer.from(value).toString('hex'),
};

function domainNames(form: NameForm): Kind<readonly string[]> {
  return {
    words: 'a domain name or a list of them',
    read: (written) => {
      const list: unknown[] = Array.isArray(written) ? written : [written];
      return list.length > 0 && list.every(isDomainName) ? list : undefined;
    },
    length: (value) => namesLength(value, form),
    write: (value, into, at) => writeNames(value, form, into, at),
    decode: decodeNames,
    show: (value) => value.join(', '),
  };
}

/** Domain names, each written out: not every option allows them to be compressed. */
export const names = domainNames('plain');

/** Domain names as RFC 3397 (option 119) packs them: every client that takes the option follows pointers. */
export const searchList = domainNames('compressed');

/** Classless static routes (RFC 3442, option 121): prefix length, the significant octets of the destination, the router. */
export const routes: Kind<readonly Route[]> = {
  words: 'a list of routes such as { to: 10.1.0.0/16, via: 10.0.0.1 }',
  read: (written) => {
    const list: unknown[] = Array.isArray(written) ? written : [written];
    const read = list.map(readRoute);
    return read.length > 0 && read.every((route) => route !== undefined) ? read : undefined;
  },
  length: (value) => value.reduce((sum, { to }) => sum + 5 + significantOctets(to.prefix), 0),
  write: (value, into, start) => {
    let at = start;
    for (const { to, via } of value) {
      const octets = significantOctets(to.prefix);
      into[at] = to.prefix;
      for (let i = 0; i < octets; i++) into[at + 1 + i] = to.base >>> (24 - 8 * i);
      at += 1 + octets;
      ip.write(via, into, at);
      at += 4;
    }
  },
  decode: (value) => {
    const read: Route[] = [];
    for (let at = 0; at < value.length; ) {
      const prefix = value[at] ?? 255;
      const octets = significantOctets(prefix);
      if (prefix > 32 || at + 5 + octets > value.length) return undefined;
      let base = 0;
      for (let i = 0; i < octets; i++) base += (value[at + 1 + i] ?? 0) * 2 ** (24 - 8 * i);
      at += 1 + octets;
      const to = { base: (base & netmaskOf(prefix)) >>> 0, prefix } as Subnet;
      read.push({ to, via: readUint(value, at, 4) as Ipv4 });
      at += 4;
    }
    return read.length > 0 ? read : undefined;
  },
  show: (value) => value.map(({ to, via }) => `${formatSubnet(to)} via ${formatIpv4(via)}`).join(', '),
};

function readRoute(written: unknown): Route | undefined {
  if (typeof written !== 'object' || written === null || !('to' in written) || !('via' in written)) return undefined;
  const via = ip.read(written.via);
  const to = typeof written.to === 'string' ? parseSubnet(written.to) : undefined;
  return to && via !== undefined ? { to, via } : undefined;
}

function significantOctets(prefix: number): number {
  return Math.ceil(prefix / 8);
}

function unsigned(size: 1 | 2 | 4): Kind<number> {
  const limit = 2 ** (8 * size);
  return {
    words: `a whole number from 0 to ${limit - 1}`,
    read: (written) =>
      typeof written === 'number' && Number.isInteger(written) && written >= 0 && written < limit ? written : undefined,
    length: () => size,
    write: writeUint(size),
    decode: (value) => (value.length === size ? readUint(value, 0, size) : undefined),
    show: String,
  };
}

function listOf<T extends number>(one: Kind<T>, size: number, words: string): Kind<readonly T[]> {
  return {
    words,
    read: (written) => {
      const list: unknown[] = Array.isArray(written) ? written : [written];
      const read = list.map(one.read);
      return read.length > 0 && read.every((item) => item !== undefined) ? read : undefined;
    },
    length: (value) => value.length * size,
    write: (value, into, at) => {
      value.forEach((item, index) => {
        one.write(item, into, at + index * size);
      });
    },
    decode: (value) => {
      if (value.length === 0 || value.length % size !== 0) return undefined;
      const read: T[] = [];
      for (let at = 0; at < value.length; at += size) read.push(readUint(value, at, size) as T);
      return read;
    },
    show: (value) => value.map(one.show).join(', '),
  };
}

function writeUint(size: number): (value: number, into: Uint8Array, at: number) => void {
  return (value, into, at) => {
    for (let i = 0; i < size; i++) into[at + i] = value >>> (8 * (size - 1 - i));
  };
}

function readUint(from: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + (from[at + i] ?? 0);
  return value;
}
