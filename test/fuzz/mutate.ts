import type { Random } from '../rig/random.ts';

/** Mutations that know bytes and no protocol. */

const INTERESTING = [0, 1, 2, 3, 4, 6, 15, 16, 32, 52, 63, 64, 82, 100, 127, 128, 200, 236, 240, 253, 254, 255];

/** Changes bytes in a few of the ways in which parsers go wrong; at most `longest` bytes come out. */
export function havoc(bytes: Uint8Array, random: Random, longest: number): Buffer {
  let out: Buffer = Buffer.from(bytes);
  for (let times = 1 << random.below(5); times > 0; times--) out = once(out, random);
  return out.subarray(0, longest);
}

function once(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const length = Math.min(bytes.length - at, 1 + random.below(random.chance(0.2) ? 300 : 12));
  switch (random.below(9)) {
    case 0:
      return withByte(bytes, at, (byte) => byte ^ (1 << random.below(8)));
    case 1:
      return withByte(bytes, at, () => random.pick(INTERESTING));
    case 2:
      return withByte(bytes, at, () => random.below(256));
    case 3:
      return withByte(bytes, at, (byte) => byte + random.pick([1, -1, 2, -2]));
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 5:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(random.between(1, 60)), bytes.subarray(at)]);
    case 6: {
      const part = bytes.subarray(at, at + length);
      const copies = Array.from({ length: random.between(1, 8) }, () => part);
      return Buffer.concat([bytes.subarray(0, at), ...copies, bytes.subarray(at)]);
    }
    case 7:
      return bytes.subarray(0, at);
    default:
      return Buffer.concat([
        bytes.subarray(0, at),
        Buffer.alloc(random.between(1, 80), random.pick(INTERESTING)),
        bytes.subarray(at),
      ]);
  }
}

function withByte(bytes: Buffer, at: number, change: (byte: number) => number): Buffer {
  const out = Buffer.from(bytes);
  if (at < out.length) out[at] = change(out[at] ?? 0) & 255;
  return out;
}

/** The head of one and the tail of another. */
export function splice(one: Uint8Array, other: Uint8Array, random: Random): Buffer {
  return Buffer.concat([one.subarray(0, random.below(one.length + 1)), other.subarray(random.below(other.length + 1))]);
}

/** Changes a text in the ways in which parsers of text go wrong. */
export function bend(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  switch (random.below(8)) {
    case 0:
      return text.slice(0, at) + random.pick(ODD) + text.slice(at);
    case 1:
      return text.slice(0, at);
    case 2:
      return text.replace(/[0-9]+/, random.pick(NUMBERS));
    case 3:
      return text.repeat(random.between(2, 5));
    case 4:
      return text.replaceAll('/', random.pick(['//', '/./', '%2f', '\\', '/../', '%252f']));
    case 5:
      return text.slice(0, at) + random.pick(ODD).repeat(random.between(1, 500)) + text.slice(at);
    case 6:
      return random.chance(0.5) ? text.toUpperCase() : text.toLowerCase();
    default:
      return text.slice(0, at) + random.bytes(random.between(1, 8)).toString('latin1') + text.slice(at);
  }
}

const ODD = [
  '\0',
  '\r',
  '\n',
  '\r\n',
  ' ',
  '\t',
  '%00',
  '%',
  '..',
  '=',
  '&',
  '?',
  '#',
  ';',
  ',',
  ':',
  '"',
  "'",
  '{{',
  '\u00ff',
  '\u009b',
  '-',
  '+',
  '*',
  '~',
];
export const NUMBERS = [
  '0',
  '1',
  '-1',
  '7',
  '8',
  '255',
  '256',
  '512',
  '1428',
  '65464',
  '65535',
  '65536',
  '4294967295',
  '4294967296',
  '9007199254740993',
  '99999999999999999999',
  '1e3',
  '0x10',
  ' 5',
  '05',
  'NaN',
  '',
];
