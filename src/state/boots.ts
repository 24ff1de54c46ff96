import { z } from 'zod';
import type { BootStore, SeenBoot } from '../timeline/bootStore.ts';
import { parseBoot } from '../timeline/storedForm.ts';
import { statementOf } from './database.ts';
import type { Schema } from './schema.ts';
import { json, type Tables, wholeNumber } from './tables.ts';

const ROW = z.object({ node: z.string(), seen_at: wholeNumber, body: json(parseBoot) });

/** Boots in a table. */
export class SqlBoots implements BootStore {
  readonly #tables: Tables<Schema>;

  constructor(tables: Tables<Schema>) {
    this.#tables = tables;
  }

  async save(changed: ReadonlyMap<string, SeenBoot>): Promise<void> {
    const keep = this.#tables.db
      .insertInto('boots')
      .values({ node: '', seen_at: 0, body: '' })
      .onConflict((conflict) =>
        conflict
          .column('node')
          .doUpdateSet((row) => ({ seen_at: row.ref('excluded.seen_at'), body: row.ref('excluded.body') })),
      );
    const rows = [...changed].map(([node, { boot, seenAt }]) => [node, seenAt, JSON.stringify(boot)]);
    await this.#tables.run([statementOf(keep.compile(), rows)]);
  }

  async read(): Promise<ReadonlyMap<string, SeenBoot>> {
    const query = this.#tables.db.selectFrom('boots').select(['node', 'seen_at', 'body']).compile();
    const rows = await this.#tables.read('boots', query, ROW);
    return new Map(rows.map(({ node, seen_at, body }) => [node, { boot: body, seenAt: seen_at }]));
  }
}
