import { ReveilleError } from '../errors.ts';
import { CPIO_TYPES } from './cpio.ts';
import type { Entry } from './entry.ts';

/** One member of a newc archive. Its content must be read before the next member is asked for, or is passed over. */
export type CpioRecord = {
  readonly entry: Entry;
  /** Names with the same number share one file; the first carries the content. */
  readonly inode: number;
  readonly links: number;
  readonly content: AsyncIterable<Uint8Array>;
};

const HEADER_BYTES = 110;
const LONGEST_NAME = 4096;
const KINDS = new Map(Object.entries(CPIO_TYPES).map(([kind, bits]) => [bits, kind as Entry['kind']]));

/** Reads a newc archive (see cpio.ts) to its trailer. Throws IMAGE_BUILD_FAILED where it is none. */
export async function* readCpio(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<CpioRecord> {
  const bytes = new ByteStream(chunks);
  for (;;) {
    const header = (await bytes.take(HEADER_BYTES)).toString('latin1');
    const fields = /^07070[12]((?:[0-9A-Fa-f]{8}){13})$/.exec(header)?.[1]?.match(/.{8}/g);
    if (fields === undefined || fields === null) throw damaged();
    const field = (at: number) => Number.parseInt(fields[at] ?? '0', 16);
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    if (nameSize < 2 || nameSize > LONGEST_NAME) throw damaged();
    const name = (await bytes.take(nameSize + (-(HEADER_BYTES + nameSize) & 3))).toString('utf8', 0, nameSize - 1);
    if (name === 'TRAILER!!!') return;
    const kind = KINDS.get(mode & 0o170000);
    if (kind === undefined || (kind === 'symlink' && size > LONGEST_NAME)) throw damaged();
    const path = name.replace(/^(\.?\/)+/, '');
    const target = kind === 'symlink' ? (await bytes.take(size + (-size & 3))).toString('utf8', 0, size) : undefined;
    const left = { bytes: kind === 'symlink' ? 0 : size };
    yield {
      entry: {
        path,
        kind,
        mode: mode & 0o7777,
        uid: field(2),
        gid: field(3),
        mtime: field(5),
        size: kind === 'file' ? size : 0,
        ...(target === undefined ? {} : { target }),
        ...(kind === 'character' || kind === 'block' ? { device: { major: field(9), minor: field(10) } } : {}),
      },
      inode: field(0),
      links: field(4),
      content: bytes.stream(left),
    };
    for await (const _ of bytes.stream(left));
    if (kind !== 'symlink') await bytes.take(-size & 3);
  }
}

function damaged(): ReveilleError {
  return new ReveilleError('IMAGE_BUILD_FAILED', 'the initrd does not read as a cpio archive', {
    hint: 'build the image again',
  });
}

/** Takes pieces of any length from chunks of any length. */
class ByteStream {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Exactly so many bytes; throws where the archive ends before. */
  async take(length: number): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    const left = { bytes: length };
    for await (const piece of this.stream(left)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  /** The next `left.bytes` bytes, counted down as they are read, so that reading may be taken up again. */
  async *stream(left: { bytes: number }): AsyncGenerator<Uint8Array> {
    while (left.bytes > 0) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) throw damaged();
        this.#rest = next.value;
      }
      const piece = this.#rest.subarray(0, left.bytes);
      this.#rest = this.#rest.subarray(piece.length);
      left.bytes -= piece.length;
      if (piece.length > 0) yield piece;
    }
  }
}
