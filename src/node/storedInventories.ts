import type { Mac } from '../model/mac.ts';
import type { Site } from '../site/site.ts';
import type { Inventory } from './inventory.ts';
import type { InventoryStore } from './inventoryStore.ts';

/** Inventories by node, for the nodes' API, over the store, which holds them by MAC and is read once. */
export function storedInventories(store: InventoryStore, site: () => Site) {
  const firstMac = (name: string) => site().nodes.get(name)?.macs[0];
  let known: Map<Mac, Inventory> | undefined;
  const remembered = async (): Promise<Map<Mac, Inventory>> => {
    if (known) return known;
    const stored = await store.read();
    known ??= new Map([...stored].map(([mac, { inventory }]) => [mac, inventory]));
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
      await store.save(mac, Date.now(), inventory);
    },
  };
}
