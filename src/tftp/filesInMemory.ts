import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { Datagrams } from '../net/datagramPort.ts';
import type { MappedFile } from '../net/mappedFile.ts';

/** Smaller files are read: to map one costs more than that. */
const LEAST_BYTES = 64 * 1024;

/**
 * The files that transfers send from memory, each mapped once for all of them as long as one sends it. Two that opened the same state of a
 * file share it.
 */
export class FilesInMemory {
  readonly #datagrams: Pick<Datagrams, 'map'>;
  readonly #files = new Map<string, MappedFile>();

  constructor(datagrams: Pick<Datagrams, 'map'>) {
    this.#datagrams = datagrams;
  }

  /**
   * The file that `handle` has open, which then belongs to the mapping. `undefined` where it cannot be mapped: the handle stays the
   * caller's. To be given back by `release`.
   */
  async take(handle: FileHandle, { dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): Promise<MappedFile | undefined> {
    if (size < LEAST_BYTES) return undefined;
    const key = `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
    const known = this.#files.get(key);
    if (known !== undefined) {
      known.share();
      await handle.close();
      return known;
    }
    const close = () => {
      this.#files.delete(key);
      return handle.close();
    };
    const read = (into: Uint8Array, offset: number, length: number, position: number) =>
      handle.read(into, offset, length, position);
    const mapped = this.#datagrams.map({ fd: handle.fd, size: Number(size), read, close });
    if (mapped !== undefined) this.#files.set(key, mapped);
    return mapped;
  }
}
