import { BLOCK_HEADER, type Datagram, writeBlockHeader } from '../net/datagramPort.ts';
import { plainLine } from '../plainText.ts';

/** One option of a request or an OACK (RFC 2347). The name keeps its sender's spelling; compare it without case. */
export type Option = { readonly name: string; readonly value: string };

/** The transfer modes of RFC 1350, in lower case; any other word a client sends is kept as it came. */
export type Request = {
  readonly kind: 'rrq' | 'wrq';
  readonly file: string;
  readonly mode: string;
  readonly options: readonly Option[];
};

/** A datagram, decoded. `malformed` stands for all that follows no rule of RFC 1350 or 2347, with the reason in words. */
export type Packet =
  | Request
  | { readonly kind: 'data'; readonly block: number; readonly data: Uint8Array }
  | { readonly kind: 'ack'; readonly block: number }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  | { readonly kind: 'oack'; readonly options: readonly Option[] }
  | { readonly kind: 'malformed'; readonly reason: string };

/** Error codes of RFC 1350 section 5 and RFC 2347. */
export const ERROR = {
  UNDEFINED: 0,
  NOT_FOUND: 1,
  ACCESS: 2,
  ILLEGAL: 4,
  UNKNOWN_TID: 5,
  OPTION: 8,
} as const;

const OPCODE = { rrq: 1, wrq: 2, data: 3, ack: 4, error: 5, oack: 6 } as const;

/** RFC 2347 allows requests of 512 octets; long paths of real sites need more, nothing needs more than one frame. */
const LONGEST_REQUEST = 1472;
const MOST_OPTIONS = 16;
const LONGEST_MESSAGE = 256;

/** Reads a datagram that came to a port. Never throws. */
export function decodeDatagram({ head, bytes }: Pick<Datagram, 'head' | 'bytes'>): Packet {
  return head >>> 16 === OPCODE.ack ? { kind: 'ack', block: head & 0xffff } : decode(bytes);
}

/** Reads one datagram. Never throws; `data` is a view into `bytes`, not a copy. */
export function decode(bytes: Uint8Array): Packet {
  if (bytes.length < 4) return malformed(`${bytes.length} bytes are too few`);
  const opcode = uint16(bytes, 0);
  switch (opcode) {
    case OPCODE.ack:
      return { kind: 'ack', block: uint16(bytes, 2) };
    case OPCODE.rrq:
      return decodeRequest('rrq', bytes);
    case OPCODE.wrq:
      return decodeRequest('wrq', bytes);
    case OPCODE.data:
      return { kind: 'data', block: uint16(bytes, 2), data: bytes.subarray(BLOCK_HEADER) };
    case OPCODE.error: {
      const end = bytes.indexOf(0, 4);
      const stop = Math.min(end < 0 ? bytes.length : end, 4 + LONGEST_MESSAGE);
      return { kind: 'error', code: uint16(bytes, 2), message: printable(text(bytes, 4, stop)) };
    }
    case OPCODE.oack: {
      if (bytes.length > LONGEST_REQUEST) return malformed(`an OACK of ${bytes.length} bytes`);
      return { kind: 'oack', options: pairs(strings(bytes, 2)) };
    }
    default:
      return malformed(`opcode ${opcode}`);
  }
}

function decodeRequest(kind: Request['kind'], bytes: Uint8Array): Packet {
  if (bytes.length > LONGEST_REQUEST) return malformed(`a request of ${bytes.length} bytes`);
  const [file, mode, ...rest] = strings(bytes, 2);
  if (file === undefined || file === '') return malformed('a request without a file name');
  if (mode === undefined || mode === '') return malformed('a request without a mode');
  return { kind, file, mode: mode.toLowerCase(), options: pairs(rest) };
}

/** The NUL-terminated strings from `at` on. What follows the last NUL is padding of some firmware and left out. */
function strings(bytes: Uint8Array, at: number): string[] {
  const found: string[] = [];
  while (found.length < 2 + 2 * MOST_OPTIONS) {
    const end = bytes.indexOf(0, at);
    if (end < 0) break;
    found.push(text(bytes, at, end));
    at = end + 1;
  }
  return found;
}

/** Names and values in turn. A name without a value is left out, as is one that came before: the first counts. */
function pairs(words: readonly string[]): Option[] {
  const options: Option[] = [];
  const seen = new Set<string>();
  for (let i = 0; i + 1 < words.length && options.length < MOST_OPTIONS; i += 2) {
    const [name, value] = [words[i] ?? '', words[i + 1] ?? ''];
    if (name === '' || seen.has(name.toLowerCase())) continue;
    seen.add(name.toLowerCase());
    options.push({ name, value });
  }
  return options;
}

/** A request as a client sends it. */
export function encodeRequest(kind: Request['kind'], file: string, mode: string, options: readonly Option[]): Buffer {
  return Buffer.concat([opcodeOf(kind), terminated([file, mode, ...words(options)])]);
}

/** An OACK (RFC 2347). */
export function encodeOack(options: readonly Option[]): Buffer {
  return Buffer.concat([opcodeOf('oack'), terminated(words(options))]);
}

/** A DATA packet; `block` is taken modulo 65536. */
export function encodeData(block: number, data: Uint8Array): Buffer {
  const packet = Buffer.allocUnsafe(BLOCK_HEADER + data.length);
  writeBlockHeader(packet, 0, block);
  packet.set(data, BLOCK_HEADER);
  return packet;
}

/** An ACK; `block` is taken modulo 65536. */
export function encodeAck(block: number): Buffer {
  return Buffer.from([0, OPCODE.ack, (block >>> 8) & 0xff, block & 0xff]);
}

/** An ERROR with words for the person at the client's screen. */
export function encodeError(code: number, message: string): Buffer {
  return Buffer.concat([opcodeOf('error'), Buffer.from([code >>> 8, code & 0xff]), terminated([message])]);
}

/** `text` without control characters: safe in a log line and on a terminal. */
export function printable(text: string): string {
  return plainLine(text, '?');
}

function malformed(reason: string): Packet {
  return { kind: 'malformed', reason };
}

function opcodeOf(kind: keyof typeof OPCODE): Buffer {
  return Buffer.from([0, OPCODE[kind]]);
}

function words(options: readonly Option[]): string[] {
  return options.flatMap(({ name, value }) => [name, value]);
}

function terminated(parts: readonly string[]): Buffer {
  return Buffer.from(parts.map((part) => `${part}\0`).join(''), 'utf8');
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function text(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8');
}
