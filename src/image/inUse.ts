import type { Event } from '../model/event.ts';

/**
 * The images that machines run or are on their way with: of each machine, the one that it was sent last. Events come in
 * any order; their files are those of `images/<sha256>/`.
 */
export function imagesInUse(events: Iterable<Event>): ReadonlySet<string> {
  const last = new Map<string, { readonly at: number; readonly sha256: string }>();
  for (const event of events) {
    if (!('file' in event)) continue;
    const sha256 = /(?:^|\/)images\/([0-9a-f]{64})\//.exec(event.file)?.[1];
    const machine = event.node ?? event.mac ?? event.ip?.toString();
    if (sha256 === undefined || machine === undefined) continue;
    if ((last.get(machine)?.at ?? -1) <= event.at) last.set(machine, { at: event.at, sha256 });
  }
  return new Set([...last.values()].map((one) => one.sha256));
}
