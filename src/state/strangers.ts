import { z } from 'zod';
import type { Mac } from '../model/mac.ts';
import { parseStranger } from '../timeline/storedForm.ts';
import type { StrangerStore } from '../timeline/strangerStore.ts';
import type { Stranger } from '../timeline/strangers.ts';
import { statementOf } from './database.ts';
import type { Schema } from './schema.ts';
import { json, type Tables } from './tables.ts';

const ROW = z.object({ mac: z.string(), body: json(parseStranger) });

/** Machines that the site does not list, in a table. */
export class SqlStrangers implements StrangerStore {
  readonly #tables: Tables<Schema>;

  constructor(tables: Tables<Schema>) {
    this.#tables = tables;
  }

  async save(changed: readonly Stranger[], forgotten: readonly Mac[]): Promise<void> {
    const { db } = this.#tables;
    const forget = db.deleteFrom('strangers').where('mac', '=', '').compile();
    const keep = db
      .insertInto('strangers')
      .values({ mac: '', body: '' })
      .onConflict((conflict) => conflict.column('mac').doUpdateSet((row) => ({ body: row.ref('excluded.body') })))
      .compile();
    const gone = forgotten.map((mac) => [mac]);
    const rows = changed.map((stranger) => [stranger.mac, JSON.stringify(stranger)]);
    await this.#tables.run([statementOf(forget, gone), statementOf(keep, rows)]);
  }

  async read(): Promise<readonly Stranger[]> {
    const query = this.#tables.db.selectFrom('strangers').select(['mac', 'body']).compile();
    return (await this.#tables.read('strangers', query, ROW)).map(({ body }) => body);
  }
}
