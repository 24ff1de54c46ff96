import { z } from 'zod';
import type { CertificateStore } from '../node/certificateStore.ts';
import type { SignedKey } from '../node/openssl.ts';
import { type Result, statementOf } from './database.ts';
import { unavailable } from './failure.ts';
import type { KeyGuard } from './identities.ts';
import type { Schema } from './schema.ts';
import type { Tables } from './tables.ts';

const ROW = z.object({ name: z.string(), key: z.string(), certificate: z.string() });

/** Keys and their certificates in a table. */
export class SqlCertificates implements CertificateStore {
  readonly #tables: Tables<Schema>;
  readonly #mayMakeKeys: KeyGuard;

  constructor(tables: Tables<Schema>, mayMakeKeys: KeyGuard) {
    this.#tables = tables;
    this.#mayMakeKeys = mayMakeKeys;
  }

  async read(name: string): Promise<SignedKey | undefined> {
    const [found] = await this.#tables.run([this.#named(name)]);
    return this.#keyIn(found);
  }

  async keep(name: string, { key, certificate }: SignedKey, before: SignedKey | undefined): Promise<SignedKey> {
    if (before === undefined) await this.#mayMakeKeys(name === '' ? 'the authority' : name);
    const keep = this.#tables.db
      .insertInto('certificates')
      .values({ name, key, certificate })
      .onConflict((conflict) =>
        conflict
          .column('name')
          .doUpdateSet((row) => ({ key: row.ref('excluded.key'), certificate: row.ref('excluded.certificate') }))
          .where('certificates.certificate', '=', before?.certificate ?? ''),
      );
    const [, found] = await this.#tables.run([statementOf(keep.compile()), this.#named(name)]);
    const kept = this.#keyIn(found);
    if (kept) return kept;
    throw unavailable({ message: `the certificate of ${name} cannot be read from the state`, hint: '' });
  }

  #named(name: string) {
    const { db } = this.#tables;
    return statementOf(
      db.selectFrom('certificates').select(['name', 'key', 'certificate']).where('name', '=', name).compile(),
    );
  }

  #keyIn(found: Result | undefined): SignedKey | undefined {
    const [row] = this.#tables.parse('certificates', found, ROW);
    return row && { key: row.key, certificate: row.certificate };
  }
}
