import { GroupCommit } from '../groupCommit.ts';
import { recall } from '../recall.ts';
import type { SeenBoot } from '../timeline/bootStore.ts';
import { createTimeline, rememberedTimeline, type Timeline } from '../timeline/timeline.ts';
import type { Store } from './store.ts';

/** What a boot did within this time is in the newest events as well. */
const SAVE_EVERY_MS = 60_000;
/** Boots in one transaction, and how much they say: leases need not wait long. */
const AT_ONCE = 100;
const TEXT_AT_ONCE = 256 * 1024;

/** The timeline that lasts: the newest boot of each node is saved as it changes. */
export type BootLog = Timeline & {
  /** Saves what is not saved yet. Does not close the store. */
  close(): Promise<void>;
};

/**
 * Opens the timeline that `store` keeps. A disk that fails costs nothing but what was not saved meanwhile; what cannot be read yet is
 * read later.
 */
export async function openBootLog(store: Pick<Store, 'boots' | 'events'>): Promise<BootLog> {
  const timeline = createTimeline();
  const forget = await recall(async () => timeline.adopt(await rememberedTimeline(store)), noted);
  let unsaved = new Map<string, SeenBoot>();
  const commit = new GroupCommit<ReadonlyMap<string, SeenBoot>>({
    take: () => {
      unsaved = new Map([...unsaved, ...timeline.takeChanges()]);
      const some = firstOf(unsaved);
      for (const node of some.keys()) unsaved.delete(node);
      return some.size > 0 ? some : undefined;
    },
    write: (some) => store.boots.save(some),
    lost: (some) => {
      unsaved = new Map([...some, ...unsaved]);
      return false;
    },
  });
  const timer = setInterval(() => void commit.run(), SAVE_EVERY_MS).unref();
  return {
    ...timeline,
    async close() {
      forget();
      clearInterval(timer);
      await commit.run();
    },
  };
}

/** The store reports itself what is wrong with it. */
const noted = (): void => {};

function firstOf(boots: ReadonlyMap<string, SeenBoot>): Map<string, SeenBoot> {
  const some = new Map<string, SeenBoot>();
  let text = 0;
  for (const [node, seen] of boots) {
    text += JSON.stringify(seen).length;
    if (some.size > 0 && (some.size >= AT_ONCE || text > TEXT_AT_ONCE)) break;
    some.set(node, seen);
  }
  return some;
}
