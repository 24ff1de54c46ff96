import type { CompiledQuery } from 'kysely';
import { z } from 'zod';
import type { PinChanges, Roll } from '../roll/record.ts';
import { parseRoll, type RollStore } from '../roll/rollStore.ts';
import { type Statement, statementOf } from './database.ts';
import type { Schema } from './schema.ts';
import { json, type Tables, wholeNumber } from './tables.ts';

const ROLL_ROW = z.object({ id: z.string(), revision: wholeNumber, body: json(parseRoll) });
const PIN_ROW = z.object({ node: z.string(), image: z.string() });

/** Rolls and pins in tables. What it has last read or written of them is what it changes: another server may have changed them since. */
export class SqlRolls implements RollStore {
  readonly #tables: Tables<Schema>;
  /** By the id of a roll. */
  #revisions = new Map<string, number>();
  #pins = new Map<string, string>();

  constructor(tables: Tables<Schema>) {
    this.#tables = tables;
  }

  async save(roll: Roll, pins: PinChanges, forgotten: readonly string[]): Promise<boolean> {
    const forget = this.#tables.db.deleteFrom('rolls').where('id', '=', '').compile();
    const gone = forgotten.map((id) => [id]);
    const claims = [this.#claimRoll(roll), ...[...pins].flatMap(([node, image]) => this.#claimPin(node, image))];
    if (!(await this.#tables.claim([...claims, statementOf(forget, gone)]))) return false;
    this.#revisions.set(roll.id, (this.#revisions.get(roll.id) ?? 0) + 1);
    for (const id of forgotten) this.#revisions.delete(id);
    for (const [node, image] of pins) {
      if (image === null) this.#pins.delete(node);
      else this.#pins.set(node, image);
    }
    return true;
  }

  async rolls(): Promise<readonly Roll[]> {
    const { db } = this.#tables;
    const query = db.selectFrom('rolls').select(['id', 'revision', 'body']).orderBy('at').orderBy('id').compile();
    const rows = await this.#tables.read('rolls', query, ROLL_ROW);
    this.#revisions = new Map(rows.map(({ id, revision }) => [id, revision]));
    return rows.map(({ body }) => body);
  }

  async pins(): Promise<ReadonlyMap<string, string>> {
    const query = this.#tables.db.selectFrom('pins').select(['node', 'image']).compile();
    const rows = await this.#tables.read('pins', query, PIN_ROW);
    this.#pins = new Map(rows.map(({ node, image }) => [node, image]));
    return new Map(this.#pins);
  }

  #claimRoll(roll: Roll): Statement {
    const { db } = this.#tables;
    const revision = this.#revisions.get(roll.id);
    const [at, body] = [roll.begunAt, JSON.stringify(roll)];
    const query =
      revision === undefined
        ? db
            .insertInto('rolls')
            .values({ id: roll.id, at, body, revision: 1 })
            .onConflict((conflict) => conflict.column('id').doNothing())
        : db
            .updateTable('rolls')
            .set({ at, body, revision: revision + 1 })
            .where('id', '=', roll.id)
            .where('revision', '=', revision);
    return { ...statementOf(query.compile()), claims: true };
  }

  /** Nothing where a pin is to go that is not known: another server's stays. */
  #claimPin(node: string, image: string | null): readonly Statement[] {
    const { db } = this.#tables;
    const before = this.#pins.get(node);
    const claim = (query: CompiledQuery): readonly Statement[] => [{ ...statementOf(query), claims: true }];
    if (image === null && before === undefined) return [];
    if (image === null)
      return claim(
        db
          .deleteFrom('pins')
          .where('node', '=', node)
          .where('image', '=', before ?? '')
          .compile(),
      );
    if (before !== undefined)
      return claim(
        db.updateTable('pins').set({ image }).where('node', '=', node).where('image', '=', before).compile(),
      );
    const insert = db.insertInto('pins').values({ node, image });
    return claim(insert.onConflict((conflict) => conflict.column('node').doNothing()).compile());
  }
}
