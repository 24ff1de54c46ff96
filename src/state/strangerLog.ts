import { GroupCommit } from '../groupCommit.ts';
import { recall } from '../recall.ts';
import type { StrangerStore } from '../timeline/strangerStore.ts';
import { createStrangers, type StrangerChanges, type Strangers } from '../timeline/strangers.ts';

/** However many machines ask, their list is written no more often than this. */
const SAVE_EVERY_MS = 5000;

/** Strangers that last: those that the store knows, and saved there as they change. */
export type StrangerLog = Strangers & {
  /** Saves what is not saved yet. Does not close the store. */
  close(): Promise<void>;
};

/** Opens the list of strangers that `store` keeps. A disk that fails costs nothing but what was not saved meanwhile. */
export async function openStrangerLog(store: StrangerStore): Promise<StrangerLog> {
  const strangers = createStrangers();
  // The store reports itself what is wrong with it.
  const forget = await recall(
    async () => strangers.remember(await store.read()),
    () => {},
  );
  const commit = new GroupCommit<StrangerChanges>({
    take: () => {
      const changes = strangers.takeChanges();
      return changes.changed.length + changes.forgotten.length > 0 ? changes : undefined;
    },
    write: ({ changed, forgotten }) => store.save(changed, forgotten),
    lost: (changes) => {
      strangers.putBack(changes);
      return false;
    },
  });
  const timer = setInterval(() => void commit.run(), SAVE_EVERY_MS).unref();
  return {
    ...strangers,
    async close() {
      forget();
      clearInterval(timer);
      await commit.run();
    },
  };
}
