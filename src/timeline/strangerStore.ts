import type { Mac } from '../model/mac.ts';
import type { Stranger } from './strangers.ts';

/** Where the machines last that the site does not list. Calls reject with STATE_UNAVAILABLE. */
export type StrangerStore = {
  /** Keeps what was seen of some machines in place of what was, and forgets others, all or none. */
  save(changed: readonly Stranger[], forgotten: readonly Mac[]): Promise<void>;
  read(): Promise<readonly Stranger[]>;
};
