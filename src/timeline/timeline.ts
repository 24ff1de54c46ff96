import { advance, type Boot } from './boots.ts';
import type { Event } from './event.ts';

/** The newest boots of every node, kept current by `see`. */
export type Timeline = {
  see(event: Event): void;
  /** Newest first. */
  boots(node: string): readonly Boot[];
};

/** How many stored events a timeline is rebuilt from: enough for the newest boots of a middle-sized rack. */
const EVENTS_REMEMBERED = 50_000;

/** The timeline as it was: `read` gives the newest stored events, oldest first. */
export async function rememberedTimeline(
  read: (filter: { readonly limit: number }) => Promise<readonly Event[]>,
): Promise<Timeline> {
  const timeline = createTimeline();
  for (const event of await read({ limit: EVENTS_REMEMBERED })) timeline.see(event);
  return timeline;
}

const BOOTS_KEPT = 10;

/** An empty timeline; feed it the stored events and then the live ones. */
export function createTimeline(): Timeline {
  const boots = new Map<string, readonly Boot[]>();

  return {
    see(event) {
      if (event.node === undefined) return;
      const known = boots.get(event.node) ?? [];
      const newest = known[0];
      const next = advance(newest, event);
      if (next === undefined || next === newest) return;
      const rest = newest && next.startedAt === newest.startedAt ? known.slice(1) : known;
      boots.set(event.node, [next, ...rest].slice(0, BOOTS_KEPT));
    },
    boots: (node) => boots.get(node) ?? [],
  };
}
