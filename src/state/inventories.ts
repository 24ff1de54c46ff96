import { z } from 'zod';
import { type Mac, parseMac } from '../model/mac.ts';
import type { Inventory } from '../node/inventory.ts';
import { type InventoryStore, type KeptInventory, parseKeptInventory } from '../node/inventoryStore.ts';
import { statementOf } from './database.ts';
import type { Schema } from './schema.ts';
import { json, type Tables, wholeNumber } from './tables.ts';

const ROW = z.object({
  mac: z.string().refine((text): text is Mac => parseMac(text) === text),
  at: wholeNumber,
  body: json(parseKeptInventory),
});

/** Inventories in a table. */
export class SqlInventories implements InventoryStore {
  readonly #tables: Tables<Schema>;

  constructor(tables: Tables<Schema>) {
    this.#tables = tables;
  }

  async save(mac: Mac, at: number, inventory: Inventory): Promise<void> {
    const keep = this.#tables.db
      .insertInto('inventory')
      .values({ mac, at, body: JSON.stringify(inventory) })
      .onConflict((conflict) =>
        conflict.column('mac').doUpdateSet((row) => ({ at: row.ref('excluded.at'), body: row.ref('excluded.body') })),
      );
    await this.#tables.run([statementOf(keep.compile())]);
  }

  async read(): Promise<ReadonlyMap<Mac, KeptInventory>> {
    const query = this.#tables.db.selectFrom('inventory').select(['mac', 'at', 'body']).compile();
    const rows = await this.#tables.read('inventory', query, ROW);
    return new Map(rows.map(({ mac, at, body }) => [mac, { at, inventory: body }]));
  }
}
