import type { Event } from '../model/event.ts';

/** The images that machines run or are on their way with: of each machine, the one that it was sent last. Events come in any order. */
export function imagesInUse(events: Iterable<Event>): ReadonlySet<string> {
  const last = new Map<string, { readonly at: number; readonly image: string }>();
  for (const event of events) {
    if (!('image' in event) || event.kind === 'image.changed') continue;
    const machine = event.node ?? event.mac ?? event.ip?.toString();
    if (event.image === undefined || machine === undefined) continue;
    if ((last.get(machine)?.at ?? -1) <= event.at) last.set(machine, { at: event.at, image: event.image });
  }
  return new Set([...last.values()].map((one) => one.image));
}
