import type { Event } from '../model/event.ts';
import type { GaugesOf } from '../model/gauges.ts';
import type { BootStore, SeenBoot } from './bootStore.ts';
import { advance, type Boot } from './boots.ts';
import type { EventStore } from './eventStore.ts';

/** Where events and the newest boot of each node last. */
export type TimelineStore = { readonly events: Pick<EventStore, 'read'>; readonly boots: Pick<BootStore, 'read'> };

/** How many stored events a timeline is rebuilt from. */
const EVENTS_REMEMBERED = 50_000;
const BYTES_REMEMBERED = 16 * 1024 * 1024;

/**
 * The timeline of the run before: the newest boots, and the events since they were saved. Events alone are not enough: those of a boot are
 * removed when its node has run for some weeks.
 */
export async function rememberedTimeline(store: TimelineStore): Promise<Timeline> {
  const boots = await store.boots.read();
  const timeline = new Timeline(boots);
  // Boots are saved once a minute: without the events of the last one they are as they were then.
  const events = await store.events.read({ limit: EVENTS_REMEMBERED, bytes: BYTES_REMEMBERED }).catch(() => []);
  for (const { event } of events) {
    const seenAt = boots.get(event.node ?? '')?.seenAt;
    if (seenAt === undefined || event.at > seenAt) timeline.see(event);
  }
  return timeline;
}

const BOOTS_KEPT = 10;

/** The newest boots of every node, kept current by `see`. It begins with the boots that are `known`; feed it the events since. */
export class Timeline {
  readonly #boots: Map<string, readonly Boot[]>;
  readonly #changed = new Map<string, SeenBoot>();

  constructor(known: ReadonlyMap<string, SeenBoot> = new Map()) {
    this.#boots = new Map([...known].map(([node, { boot }]) => [node, [boot]]));
  }

  see(event: Event): void {
    if (event.node === undefined) return;
    const known = this.boots(event.node);
    const newest = known[0];
    const next = advance(newest, event);
    if (next === undefined || next === newest) return;
    const rest = newest && next.startedAt === newest.startedAt ? known.slice(1) : known;
    this.#boots.set(event.node, [next, ...rest].slice(0, BOOTS_KEPT));
    this.#changed.set(event.node, { boot: next, seenAt: event.at });
  }

  /** Newest first. */
  boots(node: string): readonly Boot[] {
    return this.#boots.get(node) ?? [];
  }

  nodes(): readonly string[] {
    return [...this.#boots.keys()];
  }

  /** Nodes with a boot, and of these how many are in which state by their newest; boots that changed since `takeChanges`. */
  gauges(): GaugesOf<'timeline'> {
    const counts = { booting: 0, failed: 0, ready: 0 };
    for (const [newest] of this.#boots.values()) if (newest) counts[newest.state]++;
    return { nodes: this.#boots.size, ...counts, unsaved: this.#changed.size };
  }

  /** The newest boots that changed since this was last asked, by node. */
  takeChanges(): ReadonlyMap<string, SeenBoot> {
    const taken = new Map(this.#changed);
    this.#changed.clear();
    return taken;
  }

  /** Takes in the boots of an earlier timeline, before those seen since. */
  adopt(earlier: Timeline): void {
    const unsaved = earlier.takeChanges();
    for (const node of earlier.nodes()) {
      const since = this.boots(node);
      const before = earlier.boots(node).filter(({ startedAt }) => since.every((boot) => boot.startedAt !== startedAt));
      this.#boots.set(node, [...since, ...before].slice(0, BOOTS_KEPT));
      const seen = unsaved.get(node);
      if (seen && since.length === 0) this.#changed.set(node, seen);
    }
  }

  /** Takes in boots of a node's machine from the time when it had another name, or was no node. */
  inherit(node: string, earlier: readonly SeenBoot[]): void {
    const known = this.boots(node);
    // Of one boot that is known twice, the record that goes further counts.
    const further = ({ startedAt, updatedAt }: Boot) =>
      known.every((one) => one.startedAt !== startedAt || one.updatedAt < updatedAt);
    const added = earlier.filter(({ boot }) => further(boot));
    if (added.length === 0) return;
    const others = known.filter((one) => added.every(({ boot }) => boot.startedAt !== one.startedAt));
    const all = [...others, ...added.map(({ boot }) => boot)].sort((a, b) => b.startedAt - a.startedAt);
    this.#boots.set(node, all.slice(0, BOOTS_KEPT));
    const newest = added.find(({ boot }) => boot === all[0]);
    if (newest) this.#changed.set(node, newest);
  }
}
