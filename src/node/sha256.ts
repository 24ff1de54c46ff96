import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';

/** What is hashed or copied at once: a millisecond or so. */
const STEP_BYTES = 1024 * 1024;

/** SHA-256 in hex. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The same of many bytes, in steps with requests between them. */
export async function sha256InSteps(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for (const step of stepsOf(bytes)) {
    hash.update(step);
    await setImmediate();
  }
  return hash.digest('hex');
}

/** Joins bytes, in such steps. */
export async function joinInSteps(parts: readonly Uint8Array[]): Promise<Buffer> {
  const joined = Buffer.allocUnsafeSlow(parts.reduce((sum, { length }) => sum + length, 0));
  let [at, since] = [0, 0];
  for (const part of parts) {
    for (const step of stepsOf(part)) {
      joined.set(step, at);
      at += step.length;
      since += step.length;
      if (since < STEP_BYTES) continue;
      since = 0;
      await setImmediate();
    }
  }
  return joined;
}

/** The hashes of those contents that are hashed in more than one step. */
export async function hashesOfLarge(contents: Iterable<Uint8Array>): Promise<ReadonlyMap<Uint8Array, string>> {
  const hashes = new Map<Uint8Array, string>();
  for (const bytes of contents)
    if (bytes.length > STEP_BYTES && !hashes.has(bytes)) hashes.set(bytes, await sha256InSteps(bytes));
  return hashes;
}

function* stepsOf(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += STEP_BYTES) yield bytes.subarray(at, at + STEP_BYTES);
}
