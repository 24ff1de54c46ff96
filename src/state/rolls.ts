import { z } from 'zod';
import type { PinChanges, Roll } from '../roll/record.ts';
import { parseRoll, type RollStore } from '../roll/rollStore.ts';
import { statementOf } from './database.ts';
import type { Schema } from './schema.ts';
import { json, type Tables } from './tables.ts';

const ROLL_ROW = z.object({ id: z.string(), body: json(parseRoll) });
const PIN_ROW = z.object({ node: z.string(), image: z.string() });

/** Rolls and pins in tables. */
export class SqlRolls implements RollStore {
  readonly #tables: Tables<Schema>;

  constructor(tables: Tables<Schema>) {
    this.#tables = tables;
  }

  async save(roll: Roll, pins: PinChanges, forgotten: readonly string[]): Promise<void> {
    const { db } = this.#tables;
    const keep = db
      .insertInto('rolls')
      .values({ id: '', at: 0, body: '' })
      .onConflict((conflict) =>
        conflict.column('id').doUpdateSet((row) => ({ at: row.ref('excluded.at'), body: row.ref('excluded.body') })),
      );
    const forget = db.deleteFrom('rolls').where('id', '=', '');
    const pin = db
      .insertInto('pins')
      .values({ node: '', image: '' })
      .onConflict((conflict) => conflict.column('node').doUpdateSet((row) => ({ image: row.ref('excluded.image') })));
    const unpin = db.deleteFrom('pins').where('node', '=', '');
    const pinned = [...pins].flatMap(([node, image]) => (image === null ? [] : [[node, image]]));
    const unpinned = [...pins].flatMap(([node, image]) => (image === null ? [[node]] : []));
    const gone = forgotten.map((id) => [id]);
    await this.#tables.run([
      statementOf(keep.compile(), [[roll.id, roll.begunAt, JSON.stringify(roll)]]),
      statementOf(forget.compile(), gone),
      statementOf(pin.compile(), pinned),
      statementOf(unpin.compile(), unpinned),
    ]);
  }

  async rolls(): Promise<readonly Roll[]> {
    const query = this.#tables.db.selectFrom('rolls').select(['id', 'body']).orderBy('at').orderBy('id').compile();
    return (await this.#tables.read('rolls', query, ROLL_ROW)).map(({ body }) => body);
  }

  async pins(): Promise<ReadonlyMap<string, string>> {
    const query = this.#tables.db.selectFrom('pins').select(['node', 'image']).compile();
    const rows = await this.#tables.read('pins', query, PIN_ROW);
    return new Map(rows.map(({ node, image }) => [node, image]));
  }
}
