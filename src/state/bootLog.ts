import { rememberedTimeline, type SeenBoot, type Timeline } from '../timeline/timeline.ts';
import type { Store } from './store.ts';

/** What a boot did within this time is in the newest events as well. */
const SAVE_EVERY_MS = 60_000;
/** Boots in one transaction: leases need not wait long. */
const AT_ONCE = 100;

/** The timeline that lasts: the newest boot of each node is saved as it changes. */
export type BootLog = Timeline & {
  /** Saves what is not saved yet. Does not close the store. */
  close(): Promise<void>;
};

/** Opens the timeline that `store` keeps. A disk that fails costs nothing but what was not saved meanwhile. */
export async function openBootLog(store: Store): Promise<BootLog> {
  const timeline = await rememberedTimeline(store);
  let unsaved = new Map<string, SeenBoot>();
  const save = async (): Promise<void> => {
    unsaved = new Map([...unsaved, ...timeline.takeChanges()]);
    while (unsaved.size > 0) {
      const some = new Map([...unsaved].slice(0, AT_ONCE));
      for (const node of some.keys()) unsaved.delete(node);
      try {
        await store.saveBoots(some);
      } catch {
        unsaved = new Map([...some, ...unsaved]);
        return;
      }
    }
  };
  const timer = setInterval(save, SAVE_EVERY_MS).unref();
  return {
    ...timeline,
    async close() {
      clearInterval(timer);
      await save();
    },
  };
}
