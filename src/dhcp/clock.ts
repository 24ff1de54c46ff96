import type { Lease } from '../model/lease.ts';

/** A wall clock that differs by so much from where it was expected has been set. Milliseconds. */
export const STEP_MS = 3000;

/**
 * The time by which leases run: milliseconds since the epoch as the wall clock had it at the start, carried on by the monotonic
 * clock. Whoever sets the wall clock changes nothing about the time that a lease has left; only what is written to disk and
 * read by others follows the wall clock (`offset`).
 */
export class SteadyClock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  readonly #origin: number;
  #offset = 0;

  constructor(wall: () => number = Date.now, monotonic: () => number = () => performance.now()) {
    this.#wall = wall;
    this.#monotonic = monotonic;
    this.#origin = wall() - monotonic();
  }

  /** Never goes back, and never jumps. */
  now(): number {
    return Math.round(this.#origin + this.#monotonic());
  }

  /** How far the wall clock is ahead of this one since it was last seen to be set; 0 where it never was. */
  get offset(): number {
    return this.#offset;
  }

  /** Looks at the wall clock. How far it was set since the last look; negative: back. 0 if it was not. */
  step(): number {
    const step = Math.round(this.#wall() - this.now() - this.#offset);
    if (Math.abs(step) < STEP_MS) return 0;
    this.#offset += step;
    return step;
  }
}

/** The lease with its times moved by `ms`. */
export function shifted(lease: Lease, ms: number): Lease {
  return ms === 0 ? lease : { ...lease, start: lease.start + ms, expires: lease.expires + ms };
}

/**
 * A lease from disk as of `now`. One that begins in the future was written by a clock that was ahead, or is read by one that is
 * behind: how much of it is over is not known, so that it lasts as long as it was given for.
 */
export function readAt(lease: Lease, now: number): Lease {
  return lease.start > now ? shifted(lease, now - lease.start) : lease;
}
