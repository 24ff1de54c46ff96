import { OPTION } from '../model/options.ts';
import type { Options } from './optionSet.ts';

/** One option, or a part of a long one, as it stands in a field. */
export type Piece = readonly [code: number, value: Uint8Array];

/** How many bytes of options a field takes beside its end mark; 0 where it is not there for them. */
export type Rooms = { readonly options: number; readonly file: number; readonly sname: number };

/** What stands in which field, and the codes of what fits nowhere. */
export type Layout = {
  readonly options: readonly Piece[];
  readonly file: readonly Piece[];
  readonly sname: readonly Piece[];
  readonly left: readonly number[];
};

/** The most that one instance of an option holds: a longer value is split over several of the same code (RFC 3396). */
const LONGEST_PIECE = 255;
/** Code and length. */
const PIECE_HEADER = 2;

/** What goes first, where room may be short: who and for how long, what to boot, how to reach others. */
const FIRST: readonly number[] = [
  OPTION.messageType,
  OPTION.serverId,
  OPTION.subnetMask,
  OPTION.leaseTime,
  OPTION.renewalTime,
  OPTION.rebindingTime,
  OPTION.bootFile,
  OPTION.tftpServer,
  OPTION.vendorClass,
  OPTION.vendor,
  OPTION.pathPrefix,
  OPTION.configFile,
  OPTION.ipxe,
  OPTION.routers,
  OPTION.routes,
  OPTION.clientId,
].map(({ code }) => code);

/** Bytes that an option takes, its headers with it. */
export function sizeOf(value: Uint8Array): number {
  return value.length + PIECE_HEADER * Math.max(1, Math.ceil(value.length / LONGEST_PIECE));
}

/** The option's instances, for one field. */
export function piecesOf(code: number, value: Uint8Array): readonly Piece[] {
  const pieces: Piece[] = [];
  for (let from = 0; from === 0 || from < value.length; from += LONGEST_PIECE)
    pieces.push([code, value.subarray(from, from + LONGEST_PIECE)]);
  return pieces;
}

/**
 * Lays options out, the important ones first, then those that the client asks for (`asked`, its option 55) in its order, then the
 * others; option 82 is not among them. What does not fit `rooms` is left out. Where small options lie badly, larger ones go before them. Only what has to be
 * split anyhow goes on from one field in the next (RFC 3396 section 5): not every client joins the parts of what is short.
 */
export function layOut(options: Options, asked: Uint8Array, rooms: Rooms): Layout {
  const order = inOrder(options, asked);
  const layout = fill(order, rooms);
  if (layout.left.length === 0 || rooms.file + rooms.sname === 0) return layout;
  const important = order.filter(([code]) => FIRST.includes(code));
  const others = order.filter(([code]) => !FIRST.includes(code)).sort((a, b) => b[1].length - a[1].length);
  const denser = fill([...important, ...others], rooms);
  return denser.left.length === 0 ? denser : layout;
}

function fill(order: readonly Piece[], rooms: Rooms): Layout {
  const fields = [new Field(rooms.options), new Field(rooms.file), new Field(rooms.sname)] as const;
  const left: number[] = [];
  for (const [code, value] of order) {
    const whole = fields.find((field) => field.room >= sizeOf(value));
    if (whole) whole.put(code, value);
    else if (value.length <= LONGEST_PIECE || !split(code, value, fields)) left.push(code);
  }
  const [main, file, sname] = fields;
  return { options: main.pieces, file: file.pieces, sname: sname.pieces, left };
}

/** Fills what is left of the fields with the value, in their order; false, and nothing done, if it is too long for that. */
function split(code: number, value: Uint8Array, fields: readonly Field[]): boolean {
  const takes = fields.map((field) => field.takes);
  if (takes.reduce((sum, bytes) => sum + bytes, 0) < value.length) return false;
  let from = 0;
  for (const [i, field] of fields.entries()) {
    const part = value.subarray(from, from + (takes[i] ?? 0));
    if (part.length > 0) field.put(code, part);
    from += part.length;
  }
  return true;
}

class Field {
  readonly pieces: Piece[] = [];
  room: number;

  constructor(room: number) {
    this.room = room;
  }

  /** How many bytes of a value go into what is left, split as need be. */
  get takes(): number {
    const full = Math.floor(this.room / (LONGEST_PIECE + PIECE_HEADER));
    const rest = this.room - full * (LONGEST_PIECE + PIECE_HEADER);
    return full * LONGEST_PIECE + Math.max(0, rest - PIECE_HEADER);
  }

  put(code: number, value: Uint8Array): void {
    if (value.length <= LONGEST_PIECE) this.pieces.push([code, value]);
    else this.pieces.push(...piecesOf(code, value));
    this.room -= sizeOf(value);
  }
}

function inOrder(options: Options, asked: Uint8Array): Piece[] {
  const order: Piece[] = [];
  const placed = new Uint8Array(256);
  placed[OPTION.relayAgent.code] = 1;
  const place = (code: number): void => {
    if (placed[code]) return;
    placed[code] = 1;
    const value = options.get(code);
    if (value !== undefined) order.push([code, value]);
  };
  for (const code of FIRST) place(code);
  for (const code of asked) place(code);
  for (const code of options.keys()) place(code);
  return order;
}
