import type { Event } from '../model/event.ts';
import type { Mac } from '../model/mac.ts';

/** An event as it is kept. Ids count up in the order of saving: a reader resumes after the last one that it has. `event` has no `id`. */
export type StoredEvent = { readonly id: number; readonly event: Event };

/**
 * Which events to read: those that fit every field given, the newest `limit` of them, or so many of the newest as fit into `bytes` of
 * JSON. `since` is ms since the epoch. With `after`: of those with a greater id the oldest, so that a reader who goes on misses none.
 */
export type EventFilter = {
  readonly nodes?: readonly string[];
  readonly mac?: Mac;
  /** Kinds, or with `.*` at the end beginnings of them. */
  readonly kinds?: readonly string[];
  readonly since?: number;
  readonly after?: number;
  readonly limit: number;
  readonly bytes?: number;
};

/** Where events last; what is too much is forgotten as others are saved. Calls reject with STATE_UNAVAILABLE. */
export type EventStore = {
  /** Saves events in their order, all or none. Each keeps its `id`; one that has none, or whose id is not above all, is given the next. */
  save(events: readonly Event[]): Promise<void>;
  /** Events in the order in which they were saved, oldest first. */
  read(filter: EventFilter): Promise<readonly StoredEvent[]>;
  /** The greatest id of an event that is kept; absent where none is. */
  lastId(): Promise<number | undefined>;
};
