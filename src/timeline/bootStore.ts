import type { Boot } from './boots.ts';

/** A boot, and when the last event of it was: milliseconds since the epoch. */
export type SeenBoot = { readonly boot: Boot; readonly seenAt: number };

/** Where the newest boot of each node lasts. Calls reject with STATE_UNAVAILABLE. */
export type BootStore = {
  /** Keeps the newest boots of some nodes in place of what was kept of them, all or none. */
  save(changed: ReadonlyMap<string, SeenBoot>): Promise<void>;
  /** By node. */
  read(): Promise<ReadonlyMap<string, SeenBoot>>;
};
