import { GroupCommit } from '../groupCommit.ts';
import { recall } from '../recall.ts';
import type { StrangerStore } from '../timeline/strangerStore.ts';
import { type StrangerChanges, Strangers } from '../timeline/strangers.ts';

/** However many machines ask, their list is written no more often than this. */
const SAVE_EVERY_MS = 5000;

/**
 * Has the list of strangers last: it is read from a store and saved there as it changes. A disk that fails costs nothing but what was
 * not saved meanwhile.
 */
export class StrangerLog {
  readonly strangers = new Strangers();
  readonly #commit: GroupCommit<StrangerChanges>;
  readonly #timer: NodeJS.Timeout;
  #stopRecalling = (): void => {};

  private constructor(store: StrangerStore) {
    this.#commit = new GroupCommit({
      take: () => {
        const changes = this.strangers.takeChanges();
        return changes.changed.length + changes.forgotten.length > 0 ? changes : undefined;
      },
      write: ({ changed, forgotten }) => store.save(changed, forgotten),
      lost: (changes) => {
        this.strangers.putBack(changes);
        return false;
      },
    });
    this.#timer = setInterval(() => void this.#commit.run(), SAVE_EVERY_MS).unref();
  }

  /** Opens the list that `store` keeps; what cannot be read yet is read later. */
  static async open(store: StrangerStore): Promise<StrangerLog> {
    const log = new StrangerLog(store);
    log.#stopRecalling = await recall(
      async () => log.strangers.remember(await store.read()),
      // The store reports itself what is wrong with it.
      () => {},
    );
    return log;
  }

  /** Saves what is not saved yet. Does not close the store. */
  async close(): Promise<void> {
    this.#stopRecalling();
    clearInterval(this.#timer);
    await this.#commit.run();
  }
}
