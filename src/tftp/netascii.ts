const LF = 10;
const CR = 13;
const NUL = 0;

/**
 * Writes as much of `from` as netascii (RFC 764: LF is CR LF, CR is CR NUL) into `into` as fits. A pair is never split
 * between two calls, so up to one byte of `into` may stay free. Returns the bytes taken and the bytes written.
 */
export function toNetascii(from: Uint8Array, into: Uint8Array): { taken: number; written: number } {
  let taken = 0;
  let written = 0;
  for (; taken < from.length; taken++) {
    const byte = from[taken] ?? 0;
    const pair = byte === LF || byte === CR;
    if (written + (pair ? 2 : 1) > into.length) break;
    if (pair) into[written++] = CR;
    into[written++] = byte === CR ? NUL : byte;
  }
  return { taken, written };
}
