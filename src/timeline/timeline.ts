import type { Mac } from '../net/mac.ts';
import { advance, type Boot } from './boots.ts';
import type { Event } from './event.ts';

/** A machine that the site does not list, as far as it was seen. */
export type Stranger = {
  readonly mac: Mac;
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly stage?: string;
};

/** The newest boots of every node and the strangers seen, kept current by `see`. */
export type Timeline = {
  see(event: Event): void;
  /** Newest first. */
  boots(node: string): readonly Boot[];
  strangers(): readonly Stranger[];
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
/** Made-up MAC addresses must not fill the memory: the stranger seen longest ago goes first. */
const STRANGERS_KEPT = 1000;

/** An empty timeline; feed it the stored events and then the live ones. */
export function createTimeline(): Timeline {
  const boots = new Map<string, readonly Boot[]>();
  const strangers = new Map<Mac, Stranger>();

  return {
    see(event) {
      if (event.node !== undefined) {
        const known = boots.get(event.node) ?? [];
        const newest = known[0];
        const next = advance(newest, event);
        if (next === undefined || next === newest) return;
        const rest = newest && next.startedAt === newest.startedAt ? known.slice(1) : known;
        boots.set(event.node, [next, ...rest].slice(0, BOOTS_KEPT));
      } else if (event.mac !== undefined && event.kind.startsWith('dhcp.')) {
        const before = strangers.get(event.mac);
        strangers.delete(event.mac);
        strangers.set(event.mac, {
          mac: event.mac,
          firstSeen: before?.firstSeen ?? event.at,
          lastSeen: event.at,
          ...('stage' in event ? { stage: event.stage } : {}),
        });
        if (strangers.size > STRANGERS_KEPT) {
          const oldest = strangers.keys().next().value;
          if (oldest !== undefined) strangers.delete(oldest);
        }
      }
    },
    boots: (node) => boots.get(node) ?? [],
    strangers: () => [...strangers.values()].reverse(),
  };
}
