import type { Event } from '../model/event.ts';
import type { BootStore, SeenBoot } from './bootStore.ts';
import { advance, type Boot } from './boots.ts';
import type { EventStore } from './eventStore.ts';

/** The newest boots of every node, kept current by `see`. */
export type Timeline = {
  see(event: Event): void;
  /** Newest first. */
  boots(node: string): readonly Boot[];
  /** The newest boots that changed since this was last asked, by node. */
  takeChanges(): ReadonlyMap<string, SeenBoot>;
  /** Takes in the boots of an earlier timeline, before those seen since. */
  adopt(earlier: Timeline): void;
  /** Takes in boots of a node's machine from the time when it had another name, or was no node. */
  inherit(node: string, earlier: readonly SeenBoot[]): void;
  nodes(): readonly string[];
};

/** Where events and the newest boot of each node last. */
export type TimelineStore = { readonly events: Pick<EventStore, 'read'>; readonly boots: Pick<BootStore, 'read'> };

/** How many stored events a timeline is rebuilt from. */
const EVENTS_REMEMBERED = 50_000;
const BYTES_REMEMBERED = 16 * 1024 * 1024;

/**
 * The timeline as it was: the newest boots, and what came since they were saved. Events alone would not do: those of a boot are
 * gone when its node has run for some weeks.
 */
export async function rememberedTimeline(store: TimelineStore): Promise<Timeline> {
  const boots = await store.boots.read();
  const timeline = createTimeline(boots);
  // Boots are saved once a minute: without the events of the last one they are as they were then.
  const events = await store.events.read({ limit: EVENTS_REMEMBERED, bytes: BYTES_REMEMBERED }).catch(() => []);
  for (const { event } of events) {
    const seenAt = boots.get(event.node ?? '')?.seenAt;
    if (seenAt === undefined || event.at > seenAt) timeline.see(event);
  }
  return timeline;
}

const BOOTS_KEPT = 10;

/** A timeline that begins with the boots that are `known`; feed it the events since. */
export function createTimeline(known: ReadonlyMap<string, SeenBoot> = new Map()): Timeline {
  const boots = new Map<string, readonly Boot[]>([...known].map(([node, { boot }]) => [node, [boot]]));
  const changed = new Map<string, SeenBoot>();

  return {
    see(event) {
      if (event.node === undefined) return;
      const known = boots.get(event.node) ?? [];
      const newest = known[0];
      const next = advance(newest, event);
      if (next === undefined || next === newest) return;
      const rest = newest && next.startedAt === newest.startedAt ? known.slice(1) : known;
      boots.set(event.node, [next, ...rest].slice(0, BOOTS_KEPT));
      changed.set(event.node, { boot: next, seenAt: event.at });
    },
    boots: (node) => boots.get(node) ?? [],
    nodes: () => [...boots.keys()],
    adopt(earlier) {
      const unsaved = earlier.takeChanges();
      for (const node of earlier.nodes()) {
        const since = boots.get(node) ?? [];
        const before = earlier
          .boots(node)
          .filter(({ startedAt }) => since.every((boot) => boot.startedAt !== startedAt));
        boots.set(node, [...since, ...before].slice(0, BOOTS_KEPT));
        const seen = unsaved.get(node);
        if (seen && since.length === 0) changed.set(node, seen);
      }
    },
    inherit(node, earlier) {
      const known = boots.get(node) ?? [];
      // Of one boot that is known twice, the record that goes further counts.
      const further = ({ startedAt, updatedAt }: Boot) =>
        known.every((one) => one.startedAt !== startedAt || one.updatedAt < updatedAt);
      const added = earlier.filter(({ boot }) => further(boot));
      if (added.length === 0) return;
      const others = known.filter((one) => added.every(({ boot }) => boot.startedAt !== one.startedAt));
      const all = [...others, ...added.map(({ boot }) => boot)].sort((a, b) => b.startedAt - a.startedAt);
      boots.set(node, all.slice(0, BOOTS_KEPT));
      const newest = added.find(({ boot }) => boot === all[0]);
      if (newest) changed.set(node, newest);
    },
    takeChanges() {
      const taken = new Map(changed);
      changed.clear();
      return taken;
    },
  };
}
