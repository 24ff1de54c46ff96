import type { BigIntStats } from 'node:fs';

/** A file's times move in steps of some milliseconds, on some network file systems of a second. */
const TIMES_ARE_SURE_NS = 2_000_000_000n;

/** Names one state of one file: another content has another name, if the times can be trusted (`timesAreSure`). */
export function fileState({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}

/** Whether the file has rested long enough that a change from now on shows in its times. */
export function timesAreSure({ ctimeNs }: BigIntStats): boolean {
  return BigInt(Date.now()) * 1_000_000n - ctimeNs > TIMES_ARE_SURE_NS;
}
