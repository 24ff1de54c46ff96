import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';

/** A file's times move in steps of some milliseconds, where they are kept in whole seconds in such. */
const STEP_NS = 100_000_000n;
const COARSE_STEP_NS = 2_000_000_000n;
const SECOND_NS = 1_000_000_000n;

/** Names one state of one file: another content has another name, if the times can be trusted (`timesAreSure`). */
export function fileState({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}

/** Whether the file has rested long enough that a change from now on shows in its times. `now` in milliseconds since the epoch. */
export function timesAreSure({ ctimeNs }: BigIntStats, now: number = Date.now()): boolean {
  const step = ctimeNs % SECOND_NS === 0n ? COARSE_STEP_NS : STEP_NS;
  return BigInt(now) * 1_000_000n - ctimeNs > step;
}

/**
 * A strong validator (RFC 9110 section 8.8.1) of a file by what the file system says of it, without quotes; `undefined` for one that
 * changed a moment ago: the next change might not show. It reveals nothing of devices and inodes to clients.
 */
export function stateTag(stat: BigIntStats, now?: number): string | undefined {
  return timesAreSure(stat, now) ? createHash('sha256').update(fileState(stat)).digest('hex').slice(0, 32) : undefined;
}

/** Whether the content may be another one. That the file got another name or none meanwhile does not count. */
export function wasEdited(before: BigIntStats, after: BigIntStats): boolean {
  return before.size !== after.size || before.mtimeNs !== after.mtimeNs;
}
