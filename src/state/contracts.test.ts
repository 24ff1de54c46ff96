import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { leaseStoreContract } from '../dhcp/leaseStoreContract.ts';
import { ReveilleError } from '../errors.ts';
import { lease, offer } from '../model/fixture.ts';
import { appliedStoreContract } from '../node/appliedStoreContract.ts';
import { certificateStoreContract } from '../node/certificateStoreContract.ts';
import { identityStoreContract } from '../node/identityStoreContract.ts';
import { inventoryStoreContract } from '../node/inventoryStoreContract.ts';
import { tokenStoreContract } from '../node/tokenStoreContract.ts';
import { rollStoreContract } from '../roll/rollStoreContract.ts';
import { bootStoreContract } from '../timeline/bootStoreContract.ts';
import { eventStoreContract } from '../timeline/eventStoreContract.ts';
import { strangerStoreContract } from '../timeline/strangerStoreContract.ts';
import { emptyStore } from './fakes.ts';
import { openStore, type Store } from './store.ts';

let scratch: string;
let folders = 0;
before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'reveille-contracts-'));
});
after(() => rmSync(scratch, { recursive: true, force: true }));

const IMPLEMENTATIONS: readonly (readonly [name: string, open: () => Promise<Store>])[] = [
  ['SQLite', () => openStore(join(scratch, `state${++folders}`))],
  ['the fake in memory', async () => emptyStore()],
];

for (const [name, open] of IMPLEMENTATIONS) {
  const port =
    <Port extends Exclude<keyof Store, 'close'>>(of: Port) =>
    async () => {
      const store = await open();
      return { store: store[of], [Symbol.asyncDispose]: () => store.close() };
    };
  leaseStoreContract(name, port('leases'));
  eventStoreContract(name, port('events'));
  bootStoreContract(name, port('boots'));
  strangerStoreContract(name, port('strangers'));
  identityStoreContract(name, port('identities'));
  certificateStoreContract(name, port('certificates'));
  inventoryStoreContract(name, port('inventories'));
  appliedStoreContract(name, port('applied'));
  tokenStoreContract(name, port('tokens'));
  rollStoreContract(name, port('rolls'));

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
        store.rolls.rolls(),
        store.rolls.pins(),
      ])
        await assert.rejects(call, (error) => error instanceof ReveilleError && error.code === 'STATE_UNAVAILABLE');
    });
  });
}
