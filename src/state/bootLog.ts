import { GroupCommit } from '../groupCommit.ts';
import { recall } from '../recall.ts';
import type { SeenBoot } from '../timeline/bootStore.ts';
import { rememberedTimeline, Timeline } from '../timeline/timeline.ts';
import type { Store } from './store.ts';

/** What a boot did within this time is in the newest events as well. */
const SAVE_EVERY_MS = 60_000;
/** Boots in one transaction, and how much they say: leases need not wait long. */
const AT_ONCE = 100;
const TEXT_AT_ONCE = 256 * 1024;

/**
 * Has a timeline last: the newest boot of each node is saved as it changes. A disk that fails costs nothing but what was not saved
 * meanwhile.
 */
export class BootLog {
  readonly timeline = new Timeline();
  readonly #commit: GroupCommit<ReadonlyMap<string, SeenBoot>>;
  readonly #timer: NodeJS.Timeout;
  #unsaved = new Map<string, SeenBoot>();
  #stopRecalling = (): void => {};

  private constructor(store: Pick<Store, 'boots'>) {
    this.#commit = new GroupCommit({
      take: () => this.#take(),
      write: (some) => store.boots.save(some),
      lost: (some) => {
        this.#unsaved = new Map([...some, ...this.#unsaved]);
        return false;
      },
    });
    this.#timer = setInterval(() => void this.#commit.run(), SAVE_EVERY_MS).unref();
  }

  /** Opens the timeline that `store` keeps; what cannot be read yet is read later. */
  static async open(store: Pick<Store, 'boots' | 'events'>): Promise<BootLog> {
    const log = new BootLog(store);
    log.#stopRecalling = await recall(async () => log.timeline.adopt(await rememberedTimeline(store)), noted);
    return log;
  }

  /** Saves what is not saved yet. Does not close the store. */
  async close(): Promise<void> {
    this.#stopRecalling();
    clearInterval(this.#timer);
    await this.#commit.run();
  }

  #take(): ReadonlyMap<string, SeenBoot> | undefined {
    this.#unsaved = new Map([...this.#unsaved, ...this.timeline.takeChanges()]);
    const some = firstOf(this.#unsaved);
    for (const node of some.keys()) this.#unsaved.delete(node);
    return some.size > 0 ? some : undefined;
  }
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
