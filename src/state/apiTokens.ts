import { z } from 'zod';
import type { ApiToken } from '../access/apiToken.ts';
import type { ApiTokenStore } from '../access/apiTokenStore.ts';
import { ROLES } from '../access/role.ts';
import { statementOf } from './database.ts';
import type { Schema } from './schema.ts';
import { type Tables, wholeNumber } from './tables.ts';

const ROW = z
  .object({
    name: z.string(),
    role: z.enum(ROLES),
    hash: z.string().regex(/^[0-9a-f]{64}$/),
    created_at: wholeNumber,
    expires_at: wholeNumber.nullable(),
  })
  .transform(
    ({ created_at: createdAt, expires_at: expiresAt, ...rest }): ApiToken => ({ ...rest, createdAt, expiresAt }),
  );

/** Tokens of the operators' API in a table. */
export class SqlApiTokens implements ApiTokenStore {
  readonly #tables: Tables<Schema>;

  constructor(tables: Tables<Schema>) {
    this.#tables = tables;
  }

  read(): Promise<readonly ApiToken[]> {
    const query = this.#tables.db
      .selectFrom('api_tokens')
      .select(['name', 'role', 'hash', 'created_at', 'expires_at'])
      .compile();
    return this.#tables.read('api_tokens', query, ROW);
  }

  add({ name, role, hash, createdAt, expiresAt }: ApiToken): Promise<boolean> {
    const insert = this.#tables.db
      .insertInto('api_tokens')
      .values({ name, role, hash, created_at: createdAt, expires_at: expiresAt })
      .onConflict((conflict) => conflict.doNothing())
      .compile();
    return this.#tables.claim([{ ...statementOf(insert), claims: true }]);
  }

  remove(name: string): Promise<boolean> {
    const remove = this.#tables.db.deleteFrom('api_tokens').where('name', '=', name).compile();
    return this.#tables.claim([{ ...statementOf(remove), claims: true }]);
  }
}
