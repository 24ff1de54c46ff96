import { Kysely } from 'kysely';
import { SqlLeases } from '../leases.ts';
import type { Schema } from '../schema.ts';
import { type DamageSink, Tables } from '../tables.ts';
import { sqliteDialect } from './dialect.ts';
import { PortDatabase, type PortDatabaseOptions } from './portDatabase.ts';

/** Leases in the state, as another thread than its owner keeps them there. Ports go to `database`, which is to be closed in the end. */
export function openPortLeases(options: Omit<PortDatabaseOptions, 'onNotice'> & { readonly damaged: DamageSink }) {
  const database: PortDatabase = new PortDatabase({
    ...options,
    onNotice: ({ leasesLost }) => {
      if (leasesLost) leases.replay();
    },
  });
  const tables = new Tables(database, new Kysely<Schema>({ dialect: sqliteDialect(database) }), options.damaged);
  const leases: SqlLeases = new SqlLeases(tables);
  return { database, leases };
}
