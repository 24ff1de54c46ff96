/** Extended attributes of a file by their full names (`security.capability`), as the bytes they are. */
export type Xattrs = ReadonlyMap<string, Uint8Array>;

const NONE: Xattrs = new Map();
const BLOCK = 512;
const PREFIX = 'SCHILY.xattr.';
/** A header of records larger than this holds nothing that a file system could store. */
const LONGEST_RECORDS = 1 << 20;

/**
 * Reads the extended attributes that a tar's pax headers hold, beside tar-stream, which takes all records for text and so
 * loses bytes of capabilities. The tar passes through `watch` on its way to tar-stream; `next` then gives the attributes
 * of each entry that tar-stream says has a pax header, in the same order.
 */
export class PaxXattrs {
  readonly #waiting: Xattrs[] = [];

  /** The attributes of the next entry that has a pax header. */
  next(): Xattrs {
    return this.#waiting.shift() ?? NONE;
  }

  /** Passes the tar on as it is, reading along. */
  async *watch(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const header = Buffer.alloc(BLOCK);
    let filled = 0;
    /** Bytes of the present member that are still to come, padding included. */
    let left = 0;
    let records: { readonly bytes: Buffer; used: number } | undefined;
    /** What a pax header says of the next member's size. */
    let saidSize: number | undefined;

    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; ) {
        if (left > 0) {
          const take = Math.min(left, chunk.length - at);
          if (records !== undefined) {
            const wanted = Math.min(take, records.bytes.length - records.used);
            records.bytes.set(chunk.subarray(at, at + wanted), records.used);
            records.used += wanted;
          }
          at += take;
          left -= take;
          if (left === 0 && records !== undefined) {
            const read = readRecords(records.bytes);
            this.#waiting.push(read.xattrs);
            saidSize = read.size;
            records = undefined;
          }
          continue;
        }
        const take = Math.min(BLOCK - filled, chunk.length - at);
        header.set(chunk.subarray(at, at + take), filled);
        filled += take;
        at += take;
        if (filled < BLOCK) continue;
        filled = 0;
        const isPax = header[156] === TYPE_PAX;
        const size = isPax ? sizeOf(header) : (saidSize ?? sizeOf(header));
        if (!isPax && header[156] !== TYPE_LONG_NAME && header[156] !== TYPE_LONG_LINK) saidSize = undefined;
        left = Math.ceil(size / BLOCK) * BLOCK;
        if (isPax && size > 0 && size <= LONGEST_RECORDS) records = { bytes: Buffer.alloc(size), used: 0 };
        else if (isPax) this.#waiting.push(NONE);
      }
      yield chunk;
    }
  }
}

const TYPE_PAX = 'x'.charCodeAt(0);
const TYPE_LONG_NAME = 'L'.charCodeAt(0);
const TYPE_LONG_LINK = 'K'.charCodeAt(0);

/** A member's size: octal digits, or 256-ary after a byte 0x80. What is neither counts as 0; tar-stream will complain. */
function sizeOf(header: Buffer): number {
  if (header[124] === 0x80) return header.readUIntBE(130, 6);
  const size = Number.parseInt(header.toString('latin1', 124, 136).replace(/\0.*$/s, '').trim(), 8);
  return Number.isSafeInteger(size) && size > 0 ? size : 0;
}

/** Reads pax records, each `<length of all of it> <key>=<value>\n`; stops at the first that is not one. */
function readRecords(bytes: Buffer): { readonly xattrs: Xattrs; readonly size?: number } {
  const xattrs = new Map<string, Uint8Array>();
  let size: number | undefined;
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const equals = bytes.indexOf(0x3d, space);
    const end = at + Number(/^\d{1,9}$/.exec(bytes.toString('latin1', at, space))?.[0] ?? 0);
    if (space < 0 || equals < 0 || end <= equals || end > bytes.length) break;
    const key = bytes.toString('utf8', space + 1, equals);
    const value = bytes.subarray(equals + 1, end - 1);
    if (key.startsWith(PREFIX)) xattrs.set(key.slice(PREFIX.length), value);
    if (key === 'size' && /^\d{1,15}$/.test(value.toString('latin1'))) size = Number(value.toString('latin1'));
    at = end;
  }
  return { xattrs, ...(size === undefined ? {} : { size }) };
}
