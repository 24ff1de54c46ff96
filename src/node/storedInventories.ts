import type { Mac } from '../model/mac.ts';
import type { Site } from '../site/site.ts';
import type { Inventory } from './inventory.ts';

/** Where inventories are kept, by MAC; the newest of each machine, with the time at which it came (ms since the epoch). */
export type InventoryStore = {
  saveInventory(mac: Mac, at: number, inventory: unknown): Promise<void>;
  inventories(): Promise<ReadonlyMap<Mac, { readonly at: number; readonly inventory: unknown }>>;
};

/** Inventories by node, as the nodes' API wants them, over the store, which keeps them by MAC and is read once. */
export function storedInventories(store: InventoryStore, site: () => Site) {
  const firstMac = (name: string) => site().nodes.get(name)?.macs[0];
  let known: Map<Mac, Inventory> | undefined;
  const remembered = async (): Promise<Map<Mac, Inventory>> => {
    if (known) return known;
    const stored = await store.inventories();
    known ??= new Map([...stored].map(([mac, { inventory }]) => [mac, inventory as Inventory]));
    return known;
  };
  return {
    async load(name: string): Promise<Inventory | undefined> {
      const mac = firstMac(name);
      return mac && (await remembered()).get(mac);
    },
    async save(name: string, inventory: Inventory): Promise<void> {
      const mac = firstMac(name);
      if (!mac) return;
      known?.set(mac, inventory);
      await store.saveInventory(mac, Date.now(), inventory);
    },
  };
}
