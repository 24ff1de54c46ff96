import { z } from 'zod';
import { type AppliedStore, parseApplied } from '../node/appliedStore.ts';
import type { AppliedAt } from '../node/standing.ts';
import { statementOf } from './database.ts';
import type { Schema } from './schema.ts';
import { json, type Tables, wholeNumber } from './tables.ts';

const ROW = z.object({ node: z.string(), at: wholeNumber, body: json(parseApplied) });

/** What nodes reported of their files, in a table. */
export class SqlApplied implements AppliedStore {
  readonly #tables: Tables<Schema>;

  constructor(tables: Tables<Schema>) {
    this.#tables = tables;
  }

  async save(changed: ReadonlyMap<string, AppliedAt>): Promise<void> {
    const keep = this.#tables.db
      .insertInto('applied')
      .values({ node: '', at: 0, body: '' })
      .onConflict((conflict) =>
        conflict.column('node').doUpdateSet((row) => ({ at: row.ref('excluded.at'), body: row.ref('excluded.body') })),
      );
    const rows = [...changed].map(([node, { at, ...applied }]) => [node, at, JSON.stringify(applied)]);
    await this.#tables.run([statementOf(keep.compile(), rows)]);
  }

  async read(): Promise<ReadonlyMap<string, AppliedAt>> {
    const query = this.#tables.db.selectFrom('applied').select(['node', 'at', 'body']).compile();
    const rows = await this.#tables.read('applied', query, ROW);
    return new Map(rows.map(({ node, at, body }) => [node, { ...body, at }]));
  }

  async forget(nodes: readonly string[]): Promise<void> {
    const forget = this.#tables.db.deleteFrom('applied').where('node', '=', '').compile();
    const rows = nodes.map((node) => [node]);
    await this.#tables.run([statementOf(forget, rows)]);
  }
}
