import { closeSync, fsyncSync, ftruncateSync, openSync, statSync, truncateSync, writeSync } from 'node:fs';

/** Room that is kept on the disk for leases: an operator has days to make more, at the rate at which leases are recorded. */
export const RESERVE_BYTES = 16 * 1024 * 1024;
const STEP = new Uint8Array(1024 * 1024);

/**
 * A file that holds room on the disk until the disk is full; then the room is given up for the records of leases. It is taken again,
 * in steps of a megabyte, once there is twice as much.
 */
export class Reserve {
  readonly #path: string;
  readonly #bytes: number;

  constructor(path: string, bytes = RESERVE_BYTES) {
    this.#path = path;
    this.#bytes = bytes;
  }

  get size(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  get isWhole(): boolean {
    return this.size >= this.#bytes;
  }

  /** Gives the room up; whether there was any. Never throws. */
  giveUp(): boolean {
    try {
      if (this.size === 0) return false;
      truncateSync(this.#path);
      return true;
    } catch {
      return false;
    }
  }

  /** Takes one step of the room, where `free` bytes of the disk allow it; whether there is more to take. Throws what writing throws. */
  take(free: number): boolean {
    const { size } = this;
    if (size >= this.#bytes || free < 2 * (this.#bytes - size)) return false;
    const file = openSync(this.#path, 'a', 0o600);
    try {
      const step = STEP.subarray(0, Math.min(STEP.length, this.#bytes - size));
      const written = writeSync(file, step);
      // The system may notice only now that there is no room.
      fsyncSync(file);
      if (written < step.length) ftruncateSync(file, size);
      return size + written < this.#bytes && written === step.length;
    } finally {
      closeSync(file);
    }
  }
}
