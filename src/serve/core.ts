import type { Site } from '../site/site.ts';
import type { Supervisor } from '../supervisor.ts';
import type { EventBus } from '../timeline/bus.ts';
import type { EventIds } from '../timeline/eventIds.ts';

/** What each part of the running server is wired with. */
export type Core = {
  readonly stateFolder: string;
  readonly supervisor: Supervisor;
  readonly bus: EventBus;
  readonly ids: EventIds;
  /** Takes in errors that stop nothing: they become events. */
  readonly trouble: (error: unknown) => void;
  /** The last good site. */
  readonly site: () => Site;
  /** Closes what was opened, the last first. */
  readonly opened: AsyncDisposableStack;
};
