import { fstatSync } from 'node:fs';
import type { OpenFile } from './datagramPort.ts';

/** What maps files. */
export type Mapper = {
  /** Reads a part of the file into memory without keeping the caller's thread; resolves to 0 or to the number of an error. */
  populate(id: number, from: number, length: number): Promise<number>;
  unmap(id: number): void;
};

/** Bytes that are read ahead at a time. */
const STEP_BYTES = 2 * 1024 * 1024;

/** Why a file can be sent no further that has fewer bytes than it had when it was opened. */
export const SHORTENED = 'the file became shorter while it was being sent';

/**
 * A file in memory as the kernel has it: all who send it share the mapping, and only the kernel reads it. It is read from the front to
 * the back, as far as the first of them is, in another thread; what the kernel gives up afterwards it reads again as it is sent.
 */
export class MappedFile {
  readonly id: number;
  readonly size: number;
  readonly #file: OpenFile;
  readonly #mapper: Mapper;
  #inMemory = 0;
  #reading: Promise<void> | undefined;
  #users = 1;

  constructor(id: number, file: OpenFile, mapper: Mapper) {
    this.id = id;
    this.size = file.size;
    this.#file = file;
    this.#mapper = mapper;
  }

  /** Bytes from the front that are in memory. */
  get inMemory(): number {
    return this.#inMemory;
  }

  /** One more user, who calls `release`. */
  share(): this {
    this.#users++;
    return this;
  }

  /** Reads on, unless that is under way. Rejects where the file cannot be read. */
  readOn(): Promise<void> {
    this.#reading ??= this.#readStep().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** Copies bytes of the file, as `FileHandle.read` does. */
  read(into: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }> {
    return this.#file.read(into, offset, length, position);
  }

  /** Whether the file is still as long as it was. */
  isWhole(): boolean {
    return fstatSync(this.#file.fd).size >= this.size;
  }

  /** The last user closes the file. */
  async release(): Promise<void> {
    if (--this.#users > 0) return;
    this.#mapper.unmap(this.id);
    await this.#file.close();
  }

  async #readStep(): Promise<void> {
    const length = Math.min(STEP_BYTES, this.size - this.#inMemory);
    if (length <= 0) return;
    const error = await this.#mapper.populate(this.id, this.#inMemory, length);
    if (error !== 0) throw new Error(this.isWhole() ? `the file cannot be read (errno ${error})` : SHORTENED);
    this.#inMemory += length;
  }
}
