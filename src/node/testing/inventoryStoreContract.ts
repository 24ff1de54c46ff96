import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ip, mac } from '../../model/testing/fixture.ts';
import type { Inventory } from '../inventory.ts';
import type { InventoryStore } from '../inventoryStore.ts';

const BARE: Inventory = { system: {}, cpu: {}, nics: [], disks: [] };
const FULL: Inventory = {
  arch: 'x86_64',
  kernel: '6.12',
  system: { vendor: 'é', product: 'p', serial: 's', uuid: 'u', bios: 'b' },
  cpu: { model: 'm', count: 4 },
  memoryKib: 1024,
  nics: [
    { name: 'eth0', mac: mac(1), boot: true, up: true, speed: 1000, mtu: 9000, ip: ip(51), driver: 'd', path: 'p' },
    { name: 'eth1', mac: mac(2), boot: false, up: false },
  ],
  disks: [{ name: 'sda', bytes: 5e12, model: 'm', serial: 's' }],
};

/** What every store of inventories must do. `open` gives a new empty one each time. */
export function inventoryStoreContract(
  name: string,
  open: () => Promise<{ readonly store: InventoryStore } & AsyncDisposable>,
): void {
  describe(`${name} keeps the contract of a store of inventories:`, () => {
    test('an inventory takes the place of the one before', async () => {
      await using opened = await open();
      const { store } = opened;
      assert.equal((await store.read()).size, 0);
      await store.save(mac(1), 10, BARE);
      await store.save(mac(2), 11, BARE);
      await store.save(mac(1), 12, FULL);
      const all = await store.read();
      assert.deepEqual(all.get(mac(1)), { at: 12, inventory: FULL });
      assert.deepEqual(all.get(mac(2)), { at: 11, inventory: BARE });
      assert.equal(all.size, 2);
    });
  });
}
