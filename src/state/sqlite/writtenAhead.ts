import { readFileSync } from 'node:fs';

const HEADER = 32;
const FRAME_HEADER = 24;
const MAGIC = 0x377f0682;

/**
 * Whether the log that SQLite writes ahead (sqlite.org/fileformat2.html, section 4) has lost transactions in its midst. SQLite itself
 * takes the first frame that is not right for the end of the log. A crash can leave the last transaction torn; each one before it was
 * on disk before the next began. Throws what reading throws.
 */
export function hasLostTransactions(path: string): boolean {
  return lost(readFileSync(path));
}

function lost(log: Buffer): boolean {
  if (log.length < HEADER) return false;
  const magic = log.readUInt32BE(0);
  if ((magic & ~1) >>> 0 !== MAGIC) return true;
  const sum = new Checksum((magic & 1) === 1);
  sum.add(log.subarray(0, 24));
  if (!sum.matches(log, 24)) return true;
  const length = FRAME_HEADER + log.readUInt32BE(8);
  const salts = log.subarray(16, 24);
  let inOrder = true;
  let commits = 0;
  for (let at = HEADER; at + length <= log.length; at += length) {
    const isCurrent = log.subarray(at + 8, at + 16).equals(salts);
    if (inOrder) {
      sum.add(log.subarray(at, at + 8));
      sum.add(log.subarray(at + FRAME_HEADER, at + length));
      inOrder = isCurrent && sum.matches(log, at + 16);
      if (inOrder) continue;
    }
    // The last frame of a transaction says how large the database is after it.
    if (isCurrent && log.readUInt32BE(at + 4) !== 0) commits++;
    if (commits > 1) return true;
  }
  return false;
}

/** The running checksum of a log, over words of 32 bits in the order of bytes that its magic number says. */
class Checksum {
  readonly #bigEndian: boolean;
  #first = 0;
  #second = 0;

  constructor(bigEndian: boolean) {
    this.#bigEndian = bigEndian;
  }

  add(bytes: Buffer): void {
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + 8 <= bytes.length; at += 8) {
      this.#first = (this.#first + words.getUint32(at, !this.#bigEndian) + this.#second) >>> 0;
      this.#second = (this.#second + words.getUint32(at + 4, !this.#bigEndian) + this.#first) >>> 0;
    }
  }

  /** Whether it is what the log says at that place, where it stands in big-endian order. */
  matches(log: Buffer, at: number): boolean {
    return log.readUInt32BE(at) === this.#first && log.readUInt32BE(at + 4) === this.#second;
  }
}
