import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely, type SqlBool, sql } from 'kysely';
import type { Event } from '../model/event.ts';
import type { Mac } from '../model/mac.ts';
import { classOf, subjectOf } from '../timeline/eventBudget.ts';
import type { Database, Result } from './database.ts';
import type { EventsSchema } from './schema.ts';
import { sqliteDialect } from './sqlite/dialect.ts';
import type { EventsAsked, EventsKept, EventsThreadOptions, EventValues } from './sqlite/messages.ts';
import { DatabaseThread, threadOf } from './sqlite/thread.ts';

/**
 * Which events to read: those that fit every field given, the newest `limit` of them, or so many of the newest as fit into `bytes` of
 * JSON. `since` is ms since the epoch.
 */
export type EventFilter = {
  readonly nodes?: readonly string[];
  readonly mac?: Mac;
  readonly since?: number;
  readonly limit: number;
  readonly bytes?: number;
};

/** Where events last; what is too much is forgotten as others are saved. Calls reject with STATE_UNAVAILABLE. */
export type EventStore = {
  /** Saves events in their order, all or none. */
  saveEvents(events: readonly Event[]): Promise<void>;
  /** Events in the order in which they were saved, oldest first. */
  events(filter: EventFilter): Promise<readonly Event[]>;
};

/** The events of a state folder. The file is opened at the first call, and anew after it failed. */
export function openEventStore(
  folder: string,
  readOnly: boolean,
  keep: EventsKept,
): EventStore & { close(): Promise<void> } {
  const options: EventsThreadOptions = { folder, readOnly, keep };
  const thread = new DatabaseThread<EventsAsked, readonly Result[]>(options, { start: threadOf('./eventsThread.ts') });
  const close = () => thread.close();
  const reader: Database = { run: (read) => thread.ask({ read }), close };
  const db = new Kysely<EventsSchema>({ dialect: sqliteDialect(reader) });
  // Nothing has been saved yet, or the state is of an earlier release and its server does not run.
  const isEmpty = readOnly && !existsSync(join(folder, 'events.db'));

  return {
    async saveEvents(events) {
      if (events.length > 0) await thread.ask({ save: events.map(rowOf) });
    },
    async events({ nodes, mac, since, limit, bytes }) {
      if (isEmpty) return [];
      let query = db.selectFrom('events').select(['id', 'body']).orderBy('id', 'desc').limit(limit);
      if (nodes !== undefined) query = query.where('node', 'in', nodes);
      if (mac !== undefined) query = query.where('mac', '=', mac);
      if (since !== undefined) query = query.where('at', '>=', since);
      if (bytes === undefined) return eventsOf(await query.execute());
      const soFar = sql<number>`sum(octet_length(body)) over (order by id desc)`;
      const bounded = db
        .selectFrom(query.select(soFar.as('so_far')).as('newest'))
        .select(['id', 'body'])
        .where(sql<SqlBool>`so_far <= ${bytes}`)
        .orderBy('id', 'desc');
      return eventsOf(await bounded.execute());
    },
    close,
  };
}

function eventsOf(newestFirst: { readonly body: string }[]): readonly Event[] {
  return newestFirst.reverse().map(({ body }) => JSON.parse(body) as Event);
}

function rowOf(event: Event): EventValues {
  const { at, node, mac } = event;
  // Classes are subjects of their own, so that what is important of a node outlasts its chatter.
  return [at, node ?? null, mac ?? null, `${subjectOf(event)} ${classOf(event)}`, JSON.stringify(event)];
}
