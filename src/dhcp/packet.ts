import { type Ipv4, UNSPECIFIED } from '../model/ipv4.ts';
import { type Mac, macFromBytes, writeMac } from '../model/mac.ts';
import { OPTION } from '../model/options.ts';
import { type Layout, layOut, type Piece, piecesOf, sizeOf } from './layout.ts';
import { END, type Options, PAD, read } from './optionSet.ts';

/** Message types (RFC 2132 section 9.6). */
export const MESSAGE = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;

/** A DHCPv4 packet of an Ethernet client (RFC 2131 section 2). */
export type DhcpPacket = {
  readonly op: 'request' | 'reply';
  readonly hops: number;
  readonly xid: number;
  readonly secs: number;
  readonly flags: number;
  readonly ciaddr: Ipv4;
  readonly yiaddr: Ipv4;
  readonly siaddr: Ipv4;
  readonly giaddr: Ipv4;
  readonly chaddr: Mac;
  readonly sname: string;
  readonly file: string;
  readonly options: Options;
};

/** Whether a request is of a client from before DHCP: it names no kind of message (RFC 1534 section 2). */
export function isBootp({ options }: Pick<DhcpPacket, 'options'>): boolean {
  return !options.has(OPTION.messageType.code);
}

/** What reading a packet gives: the packet, or why it is none. */
export type Decoded =
  | { readonly ok: true; readonly packet: DhcpPacket }
  | { readonly ok: false; readonly reason: string };

/** A client's request that says nothing beyond its options. */
export function requestFrom(chaddr: Mac, options: Options): DhcpPacket {
  return {
    op: 'request',
    hops: 0,
    xid: 0,
    secs: 0,
    flags: 0,
    ciaddr: UNSPECIFIED,
    yiaddr: UNSPECIFIED,
    siaddr: UNSPECIFIED,
    giaddr: UNSPECIFIED,
    chaddr,
    sname: '',
    file: '',
    options,
  };
}

export const BROADCAST_FLAG = 0x8000;

const HEADER = 236;
const COOKIE = 0x63825363;
const OPTIONS_AT = HEADER + 4;
const SNAME = { at: 44, size: 64 };
const FILE = { at: 108, size: 128 };
const ETHERNET = 1;
/** Clients of BOOTP's time drop what is shorter, and take no more (RFC 1542 section 2.1). */
export const BOOTP_SIZE = 300;
/** Room for every real request and far beyond; it bounds the work that a forged one can cause. */
export const LONGEST_REQUEST = 4096;
/** A relay's option is echoed whole or, beyond any that a relay makes, not at all. */
const LONGEST_RELAY_OPTION = 512;

/** Reads a packet. Never throws; no length in it is trusted. */
export function decodePacket(bytes: Buffer): Decoded {
  if (bytes.length < OPTIONS_AT) return bad(`${bytes.length} bytes are too few`);
  if (bytes.length > LONGEST_REQUEST) return bad(`${bytes.length} bytes are too many`);
  const op = bytes[0];
  if (op !== 1 && op !== 2) return bad(`op ${op} is neither request nor reply`);
  if (bytes[1] !== ETHERNET || bytes[2] !== 6) return bad(`hardware type ${bytes[1]} is not Ethernet`);
  const options = new Map<number, Uint8Array>();
  // Clients from before RFC 1048 say no options, and leave the vendor's field empty.
  if (bytes.readUInt32BE(HEADER) === COOKIE) readOptions(bytes.subarray(OPTIONS_AT), options);
  else if (op !== 1 || bytes.readUInt32BE(HEADER) !== 0) return bad('the magic cookie is missing');
  const overload = read(options, OPTION.overload) ?? 0;
  // RFC 2131 section 4.1: first the options field, then file, then sname.
  if (overload & 1) readOptions(bytes.subarray(FILE.at, FILE.at + FILE.size), options);
  if (overload & 2) readOptions(bytes.subarray(SNAME.at, SNAME.at + SNAME.size), options);

  return {
    ok: true,
    packet: {
      op: op === 1 ? 'request' : 'reply',
      hops: bytes[3] ?? 0,
      xid: bytes.readUInt32BE(4),
      secs: bytes.readUInt16BE(8),
      flags: bytes.readUInt16BE(10),
      ciaddr: bytes.readUInt32BE(12) as Ipv4,
      yiaddr: bytes.readUInt32BE(16) as Ipv4,
      siaddr: bytes.readUInt32BE(20) as Ipv4,
      giaddr: bytes.readUInt32BE(24) as Ipv4,
      chaddr: macFromBytes(bytes, 28),
      sname: overload & 2 ? '' : readText(bytes, SNAME),
      file: overload & 1 ? '' : readText(bytes, FILE),
      options,
    },
  };
}

/** The most that any client is sent: what fits an Ethernet frame. */
export const LONGEST_REPLY = 1472;

/** What bounds a packet, beyond what it says. */
export type Bounds = {
  /** The most bytes of UDP payload. */
  readonly limit: number;
  /** Whether options may stand in the fields `file` and `sname`, too, where there is no room for them elsewhere. */
  readonly overload: boolean;
  /** Codes in the order in which the client asks for them (option 55). */
  readonly asked: Uint8Array;
};

/** A packet's bytes, and the codes of options that do not fit and are left out. */
export type Encoded = { readonly bytes: Buffer; readonly left: readonly number[] };

const NOTHING = new Uint8Array();

/** A packet of at most `limit` bytes as `encodeWithin` writes it, without overload. */
export function encodePacket(packet: DhcpPacket, limit = LONGEST_REPLY): Buffer {
  return encodeWithin(packet, { limit, overload: false, asked: NOTHING }).bytes;
}

/**
 * Writes a packet, padded to 300 bytes. What the client cannot do without goes first; options that do not fit any more are left out.
 * Option 82 comes last (RFC 3046 section 2.2) and beside the limit, since the relay takes it out before the client sees it.
 * Names that do not fit their field are left to options 66 and 67. Options go into `file` and `sname` (option 52, RFC 2131 section
 * 4.1) only where nothing else helps: into `file` where it names no boot file, into `sname` in place of the server's name.
 */
export function encodeWithin(packet: DhcpPacket, { limit, overload, asked }: Bounds): Encoded {
  const given = packet.options.get(OPTION.relayAgent.code);
  const relay = given && given.length <= LONGEST_RELAY_OPTION ? given : undefined;
  const relayBytes = relay === undefined ? 0 : sizeOf(relay);
  const room = Math.min(limit, LONGEST_REPLY - relayBytes) - OPTIONS_AT - 1;
  let layout = layOut(packet.options, asked, { options: room, file: 0, sname: 0 });
  if (layout.left.length > 0 && overload)
    layout = overloaded(packet.options, asked, room - OVERLOAD_SIZE, !fits(packet.file, FILE));

  const used = layout.options.reduce((sum, [, value]) => sum + sizeOf(value), 0);
  const fields = (layout.file.length > 0 ? FILE_OVERLOADED : 0) + (layout.sname.length > 0 ? SNAME_OVERLOADED : 0);
  const overloadBytes = fields === 0 ? 0 : OVERLOAD_SIZE;
  const out = Buffer.alloc(Math.max(BOOTP_SIZE, OPTIONS_AT + used + overloadBytes + relayBytes + 1));
  out[0] = packet.op === 'request' ? 1 : 2;
  out[1] = ETHERNET;
  out[2] = 6;
  out[3] = packet.hops;
  out.writeUInt32BE(packet.xid, 4);
  out.writeUInt16BE(packet.secs, 8);
  out.writeUInt16BE(packet.flags, 10);
  out.writeUInt32BE(packet.ciaddr, 12);
  out.writeUInt32BE(packet.yiaddr, 16);
  out.writeUInt32BE(packet.siaddr, 20);
  out.writeUInt32BE(packet.giaddr, 24);
  writeMac(packet.chaddr, out, 28);
  if (layout.sname.length > 0) writePieces(out, SNAME.at, layout.sname);
  else writeText(packet.sname, out, SNAME);
  if (layout.file.length > 0) writePieces(out, FILE.at, layout.file);
  else writeText(packet.file, out, FILE);
  out.writeUInt32BE(COOKIE, HEADER);
  // The client is to know how the packet is laid out before it reads far into it.
  const [type, ...others] = layout.options;
  const overloading: readonly Piece[] = fields === 0 ? [] : [[OPTION.overload.code, Uint8Array.of(fields)]];
  const last = relay === undefined ? [] : piecesOf(OPTION.relayAgent.code, relay);
  writePieces(out, OPTIONS_AT, [...(type ? [type] : []), ...overloading, ...others, ...last]);
  return { bytes: out, left: layout.left };
}

const FILE_OVERLOADED = 1;
const SNAME_OVERLOADED = 2;
const OVERLOAD_SIZE = 3;

/** With as few of the two fields as suffice. */
function overloaded(options: Options, asked: Uint8Array, room: number, isFileFree: boolean): Layout {
  const file = isFileFree ? FILE.size - 1 : 0;
  const sname = SNAME.size - 1;
  const tries = [...(isFileFree ? [{ file, sname: 0 }] : []), { file, sname }];
  let layout: Layout | undefined;
  for (const rooms of tries) {
    layout = layOut(options, asked, { options: room, ...rooms });
    if (layout.left.length === 0) return layout;
  }
  return layout ?? layOut(options, asked, { options: room, file, sname });
}

function writePieces(out: Buffer, start: number, pieces: readonly Piece[]): void {
  let at = start;
  for (const [code, value] of pieces) {
    out[at] = code;
    out[at + 1] = value.length;
    out.set(value, at + 2);
    at += 2 + value.length;
  }
  out[at] = END;
}

/** Options up to the end mark or the field's end; one that claims more bytes than there are ends the list. */
function readOptions(field: Buffer, into: Map<number, Uint8Array>): void {
  for (let at = 0; at < field.length; ) {
    const code = field[at++];
    if (code === PAD) continue;
    if (code === undefined || code === END) return;
    const length = field[at++];
    if (length === undefined || at + length > field.length) return;
    const value = field.subarray(at, at + length);
    const before = into.get(code);
    into.set(code, before === undefined ? value : Buffer.concat([before, value]));
    at += length;
  }
}

function readText(bytes: Buffer, { at, size }: { at: number; size: number }): string {
  const end = bytes.indexOf(0, at);
  return bytes.toString('latin1', at, end < 0 || end > at + size ? at + size : end);
}

/** A text too long for its field, which ends in a NUL, is left out rather than cut. */
function writeText(text: string, out: Buffer, field: { at: number; size: number }): void {
  if (fits(text, field)) out.write(text, field.at, 'utf8');
}

function fits(text: string, { size }: { size: number }): boolean {
  return text !== '' && Buffer.byteLength(text) < size;
}

function bad(reason: string): Decoded {
  return { ok: false, reason };
}
