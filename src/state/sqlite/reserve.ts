import { closeSync, fsyncSync, ftruncateSync, openSync, statfsSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const MB = 1024 * 1024;
const STEP = new Uint8Array(MB);

/** The room on a disk, bytes. `free`: what this user may take. */
export type Room = { readonly free: number; readonly total: number };

/** The room on the disk of a folder. Throws what the system throws. */
export function roomOf(folder: string): Room {
  const { bavail, blocks, bsize } = statfsSync(folder);
  return { free: bavail * bsize, total: blocks * bsize };
}

/** Room that is kept on a disk for leases: an operator has days to make more, at the rate at which they are recorded. */
export function reserveOn({ total }: Room): number {
  return Math.min(16 * MB, Math.floor(total / 16));
}

/** What must be free before events may grow: the reserve is taken first, and what is left is for leases and for others. */
export function roomBeforeEvents(room: Room, reserved: number): number {
  return Math.min(64 * MB, room.total / 20) + 2 * Math.max(0, reserveOn(room) - reserved);
}

/** The file in a state folder that holds the reserve. */
export const RESERVE_FILE = 'reveille.reserve';

/**
 * A file that holds room on the disk until the disk is full; then the room is given up for the records of leases. It is taken again,
 * in steps of a megabyte, once there is twice as much.
 */
export class Reserve {
  readonly #path: string;

  constructor(folder: string) {
    this.#path = join(folder, RESERVE_FILE);
  }

  /** Bytes that it holds. */
  get size(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
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

  /** Takes one step of the room, where the disk allows it; whether there is more to take. Throws what writing throws. */
  take(room: Room): boolean {
    const { size } = this;
    const missing = reserveOn(room) - size;
    if (missing <= 0 || room.free < 2 * missing) return false;
    const file = openSync(this.#path, 'a', 0o600);
    try {
      const step = STEP.subarray(0, Math.min(STEP.length, missing));
      const written = writeSync(file, step);
      // The system may notice only now that there is no room.
      fsyncSync(file);
      if (written < step.length) ftruncateSync(file, size);
      return written === step.length && missing > written;
    } finally {
      closeSync(file);
    }
  }
}
