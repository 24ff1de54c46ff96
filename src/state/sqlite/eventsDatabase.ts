import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { EventsDatabase } from '../database.ts';
import type { EventsAsked, EventsKept, EventsThreadOptions, Outcome } from './messages.ts';
import { DatabaseThread, threadOf } from './thread.ts';

/** The database of the events of a state folder. The file is opened at the first call, and anew after it failed. */
export function openEventsDatabase(folder: string, readOnly: boolean, keep: EventsKept): EventsDatabase {
  const options: EventsThreadOptions = { folder, readOnly, keep };
  const thread = new DatabaseThread<EventsAsked, Outcome>(options, { start: threadOf('./eventsThread.ts', 'events') });
  // Nothing has been saved yet, or the state is of an earlier release and its server does not run.
  const isEmpty = readOnly && !existsSync(join(folder, 'events.db'));
  return {
    run: async (read) => {
      if (isEmpty) return read.map(() => ({ rows: [], changes: 0 }));
      return (await thread.ask({ read })) ?? [];
    },
    claim: async (read) => (await thread.ask({ read })) !== undefined,
    async save(rows) {
      await thread.ask({ save: rows });
    },
    gauges: () => thread.gauges(),
    close: () => thread.close(),
  };
}
