import { z } from 'zod';
import type { Ipv4 } from '../model/ipv4.ts';
import { type Mac, parseMac } from '../model/mac.ts';
import type { Inventory } from './inventory.ts';

/** A machine's last report of its hardware, and its time (ms since the epoch). */
export type KeptInventory = { readonly at: number; readonly inventory: Inventory };

/** Stores inventories, the newest of each machine. Calls reject with STATE_UNAVAILABLE. */
export type InventoryStore = {
  /** Stores an inventory in place of the earlier one. */
  save(mac: Mac, at: number, inventory: Inventory): Promise<void>;
  read(): Promise<ReadonlyMap<Mac, KeptInventory>>;
};

const text = z.string().exactOptional();
const number = z.number().exactOptional();

const INVENTORY = z.object({
  arch: text,
  kernel: text,
  system: z.object({ vendor: text, product: text, serial: text, uuid: text, bios: text }).default({}),
  cpu: z.object({ model: text, count: number }).default({}),
  memoryKib: number,
  nics: z.array(
    z.object({
      name: z.string(),
      mac: z.string().refine((one): one is Mac => parseMac(one) === one),
      boot: z.boolean(),
      up: z.boolean(),
      speed: number,
      mtu: number,
      ip: z
        .int()
        .min(0)
        .max(0xffffffff)
        .transform((ip) => ip as Ipv4)
        .exactOptional(),
      driver: text,
      path: text,
    }),
  ),
  disks: z.array(z.object({ name: z.string(), bytes: z.number(), model: text, serial: text })).default([]),
});

/** An inventory as the state has it, the value of its JSON; `undefined` if it is none. */
export function parseKeptInventory(value: unknown): Inventory | undefined {
  return INVENTORY.safeParse(value).data;
}
