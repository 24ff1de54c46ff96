import { z } from 'zod';
import type { IdentityParts, IdentityStore } from '../node/identityStore.ts';
import { type Result, statementOf } from './database.ts';
import type { Schema } from './schema.ts';
import type { Tables } from './tables.ts';

const ROW = z.object({ kind: z.string(), value: z.string() });

/** Rejects with STATE_UNAVAILABLE where keys may have been lost that others would take the place of; `of` is whose they are. */
export type KeyGuard = (of: string) => Promise<void>;

/** Identities in a table, a row for each part. */
export class SqlIdentities implements IdentityStore {
  readonly #tables: Tables<Schema>;
  readonly #mayMakeKeys: KeyGuard;

  constructor(tables: Tables<Schema>, mayMakeKeys: KeyGuard) {
    this.#tables = tables;
    this.#mayMakeKeys = mayMakeKeys;
  }

  async read(node: string): Promise<IdentityParts> {
    const [found] = await this.#tables.run([this.#partsOf(node)]);
    return this.#parts(found);
  }

  /** One transaction: an index keeps two parts of a kind, and two nodes of the same part, apart. */
  async keep(node: string, parts: IdentityParts): Promise<IdentityParts> {
    if (parts.size > 0) await this.#mayMakeKeys(node);
    const insert = this.#tables.db
      .insertInto('identities')
      .values({ node: '', kind: '', value: '' })
      .onConflict((conflict) => conflict.doNothing());
    const rows = [...parts].map(([kind, value]) => [node, kind, value]);
    const results = await this.#tables.run([statementOf(insert.compile(), rows), this.#partsOf(node)]);
    return this.#parts(results.at(-1));
  }

  #partsOf(node: string) {
    return statementOf(
      this.#tables.db.selectFrom('identities').select(['kind', 'value']).where('node', '=', node).compile(),
    );
  }

  #parts(found: Result | undefined): IdentityParts {
    return new Map(this.#tables.parse('identities', found, ROW).map(({ kind, value }) => [kind, value]));
  }
}
