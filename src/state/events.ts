import { sql } from 'kysely';
import { z } from 'zod';
import type { Event } from '../model/event.ts';
import { classOf, subjectOf } from '../timeline/eventBudget.ts';
import type { EventFilter, EventStore, StoredEvent } from '../timeline/eventStore.ts';
import { parseEvent } from '../timeline/storedForm.ts';
import type { EventsDatabase, EventValues } from './database.ts';
import type { EventsSchema } from './schema.ts';
import { json, type Tables, wholeNumber } from './tables.ts';

const ROW = z.object({ id: wholeNumber, body: json(parseEvent) }).transform(({ id, body }) => ({ id, event: body }));
const LAST_ROW = z.object({ id: wholeNumber.nullable() });

/** Events in a table. */
export class SqlEvents implements EventStore {
  readonly #database: EventsDatabase;
  readonly #tables: Tables<EventsSchema>;

  constructor(database: EventsDatabase, tables: Tables<EventsSchema>) {
    this.#database = database;
    this.#tables = tables;
  }

  async save(events: readonly Event[]): Promise<void> {
    if (events.length > 0) await this.#database.save(events.map(valuesOf));
  }

  async read(filter: EventFilter): Promise<readonly StoredEvent[]> {
    if (filter.after === undefined) return (await this.#find(filter, 'desc')).toReversed();
    return this.#find(filter, 'asc');
  }

  async lastId(): Promise<number | undefined> {
    const query = this.#tables.db.selectFrom('events').select((events) => events.fn.max('id').as('id'));
    const [last] = await this.#tables.read('events', query.compile(), LAST_ROW);
    return last?.id ?? undefined;
  }

  async #find(
    { nodes, mac, kinds, since, after, limit, bytes }: EventFilter,
    order: 'asc' | 'desc',
  ): Promise<readonly StoredEvent[]> {
    const { db } = this.#tables;
    let query = db.selectFrom('events').select(['id', 'body']).orderBy('id', order).limit(limit);
    if (nodes !== undefined) query = query.where('node', 'in', nodes);
    if (mac !== undefined) query = query.where('mac', '=', mac);
    if (kinds !== undefined)
      query = query.where((events) => events.or(kinds.map((kind) => events('body', 'like', kindInJson(kind)))));
    if (since !== undefined) query = query.where('at', '>=', since);
    if (after !== undefined) query = query.where('id', '>', after);
    if (bytes === undefined) return this.#tables.read('events', query.compile(), ROW);
    const soFar = sql<number>`sum(octet_length(body)) over (order by id ${sql.raw(order)})`;
    const bounded = db
      .selectFrom(query.select(soFar.as('so_far')).as('found'))
      .select(['id', 'body'])
      .where('so_far', '<=', bytes)
      .orderBy('id', order);
    return this.#tables.read('events', bounded.compile(), ROW);
  }
}

function valuesOf({ id, ...event }: Event): EventValues {
  const { at, node, mac } = event;
  // Classes are subjects of their own, so that what is important of a node outlasts its chatter.
  return [id ?? null, at, node ?? null, mac ?? null, `${subjectOf(event)} ${classOf(event)}`, JSON.stringify(event)];
}

/** Where JSON text says that an event is of a kind; texts inside it have their quotation marks escaped. */
function kindInJson(kind: string): string {
  return kind.endsWith('.*') ? `%"kind":"${kind.slice(0, -1)}%` : `%"kind":"${kind}"%`;
}
