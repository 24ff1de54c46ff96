import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Kysely } from 'kysely';
import { apiToken, apiTokenStoreContract } from '../access/testing/apiTokenStoreContract.ts';
import type { LeaseStore } from '../dhcp/leaseStore.ts';
import { leaseStoreContract } from '../dhcp/testing/leaseStoreContract.ts';
import { ReveilleError } from '../errors.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import { lease, offer } from '../model/testing/fixture.ts';
import { appliedStoreContract } from '../node/testing/appliedStoreContract.ts';
import { certificateStoreContract } from '../node/testing/certificateStoreContract.ts';
import { identityStoreContract } from '../node/testing/identityStoreContract.ts';
import { inventoryStoreContract } from '../node/testing/inventoryStoreContract.ts';
import { tokenStoreContract } from '../node/testing/tokenStoreContract.ts';
import type { RollStore } from '../roll/rollStore.ts';
import { rollStoreContract } from '../roll/testing/rollStoreContract.ts';
import { bootStoreContract } from '../timeline/testing/bootStoreContract.ts';
import { eventStoreContract } from '../timeline/testing/eventStoreContract.ts';
import { strangerStoreContract } from '../timeline/testing/strangerStoreContract.ts';
import { SqlLeases } from './leases.ts';
import { SqlRolls } from './rolls.ts';
import type { Schema } from './schema.ts';
import { sqliteDialect } from './sqlite/dialect.ts';
import { openDatabase } from './sqlite/openDatabase.ts';
import { openStore, type Store } from './store.ts';
import { Tables } from './tables.ts';
import { emptyStore, leasesInMemory, rollsInMemory } from './testing/fakes.ts';

let scratch: string;
let folders = 0;
before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'reveille-contracts-'));
});
after(() => rmSync(scratch, { recursive: true, force: true }));

/** What two servers have of one state. */
type Shared = {
  readonly leases: readonly [LeaseStore, LeaseStore];
  readonly rolls: readonly [RollStore, RollStore];
} & AsyncDisposable;

async function sharedSqlite(): Promise<Shared> {
  const folder = join(scratch, `state${++folders}`);
  mkdirSync(folder);
  const database = await openDatabase({ folder, readOnly: false });
  const db = new Kysely<Schema>({ dialect: sqliteDialect(database) });
  const tables = new Tables(database, db, ({ table }) => assert.fail(table));
  return {
    leases: [new SqlLeases(tables), new SqlLeases(tables)],
    rolls: [new SqlRolls(tables), new SqlRolls(tables)],
    [Symbol.asyncDispose]: () => database.close(),
  };
}

async function sharedInMemory(): Promise<Shared> {
  const table = new Map<Ipv4, Lease>();
  const rolls = { rolls: new Map(), pins: new Map() };
  return {
    leases: [leasesInMemory(table), leasesInMemory(table)],
    rolls: [rollsInMemory(rolls), rollsInMemory(rolls)],
    [Symbol.asyncDispose]: async () => {},
  };
}

const IMPLEMENTATIONS: readonly (readonly [name: string, open: () => Promise<Store>, share: () => Promise<Shared>])[] =
  [
    ['SQLite', () => openStore(join(scratch, `state${++folders}`)), sharedSqlite],
    ['the fake in memory', async () => emptyStore(), sharedInMemory],
  ];

for (const [name, open, share] of IMPLEMENTATIONS) {
  const port =
    <Port extends Exclude<keyof Store, 'close'>>(of: Port) =>
    async () => {
      const store = await open();
      return { store: store[of], [Symbol.asyncDispose]: () => store.close() };
    };
  const both = async <Port>(of: (shared: Shared) => readonly [Port, Port]) => {
    const shared = await share();
    const [store, other] = of(shared);
    return { store, other, [Symbol.asyncDispose]: () => shared[Symbol.asyncDispose]() };
  };
  leaseStoreContract(name, () => both(({ leases }) => leases));
  eventStoreContract(name, port('events'));
  bootStoreContract(name, port('boots'));
  strangerStoreContract(name, port('strangers'));
  identityStoreContract(name, port('identities'));
  certificateStoreContract(name, port('certificates'));
  inventoryStoreContract(name, port('inventories'));
  appliedStoreContract(name, port('applied'));
  tokenStoreContract(name, port('tokens'));
  apiTokenStoreContract(name, port('apiTokens'));
  rollStoreContract(name, () => both(({ rolls }) => rolls));

  describe(`${name}, closed,`, () => {
    test('refuses every call', async () => {
      const store = await open();
      await store.close();
      for (const call of [
        store.leases.commit([lease(1, 1)]),
        store.leases.load(),
        store.events.save([offer(1)]),
        store.events.read({ limit: 1 }),
        store.boots.read(),
        store.strangers.read(),
        store.identities.read('a'),
        store.certificates.read('a'),
        store.inventories.read(),
        store.applied.read(),
        store.tokens.read(),
        store.apiTokens.read(),
        store.apiTokens.add(apiToken(1)),
        store.apiTokens.remove('a'),
        store.rolls.rolls(),
        store.rolls.pins(),
      ])
        await assert.rejects(call, (error) => error instanceof ReveilleError && error.code === 'STATE_UNAVAILABLE');
    });
  });
}
