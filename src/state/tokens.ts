import { z } from 'zod';
import type { TokenStore } from '../node/tokenStore.ts';
import { statementOf } from './database.ts';
import type { Schema } from './schema.ts';
import type { Tables } from './tables.ts';

const ROW = z.object({ node: z.string(), body: z.string() });

/** What is known of the nodes' tokens, in a table. */
export class SqlTokens implements TokenStore {
  readonly #tables: Tables<Schema>;

  constructor(tables: Tables<Schema>) {
    this.#tables = tables;
  }

  async read(): Promise<ReadonlyMap<string, string>> {
    const query = this.#tables.db.selectFrom('tokens').select(['node', 'body']).compile();
    const rows = await this.#tables.read('tokens', query, ROW);
    return new Map(rows.map(({ node, body }) => [node, body]));
  }

  async save(changed: ReadonlyMap<string, string | null>): Promise<void> {
    const { db } = this.#tables;
    const keep = db
      .insertInto('tokens')
      .values({ node: '', body: '' })
      .onConflict((conflict) => conflict.column('node').doUpdateSet((row) => ({ body: row.ref('excluded.body') })))
      .compile();
    const forget = db.deleteFrom('tokens').where('node', '=', '').compile();
    const kept = [...changed].flatMap(([node, body]) => (body === null ? [] : [[node, body]]));
    const gone = [...changed].flatMap(([node, body]) => (body === null ? [[node]] : []));
    await this.#tables.run([statementOf(keep, kept), statementOf(forget, gone)]);
  }
}
