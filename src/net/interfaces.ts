import { ReveilleError } from '../errors.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { type Mac, parseMac } from '../model/mac.ts';
import { type InterfaceEntry, listInterfaces } from './libc.ts';

/** An IPv4 address of this machine, the prefix length of its subnet, and the Ethernet address of its interface. */
export type InterfaceAddress = { readonly ip: Ipv4; readonly prefix: number; readonly mac: Mac };

/**
 * This machine's interfaces by name: their addresses, and the kernel's index of each. An interface that is deleted and made again
 * has another index.
 */
export type Interfaces = {
  readonly addresses: ReadonlyMap<string, readonly InterfaceAddress[]>;
  readonly numbers: ReadonlyMap<string, number>;
};

/** Every interface of this machine by name, each with its IPv4 addresses (none: an empty list), carrier or not. */
export function interfaceAddresses(): Map<string, InterfaceAddress[]> {
  return groupByInterface(listInterfaces());
}

/** The same with the interfaces' indexes. */
export function seeInterfaces(): Interfaces {
  const entries = listInterfaces();
  const numbers = new Map(entries.flatMap((entry) => (entry.kind === 'link' ? [[entry.name, entry.index]] : [])));
  return { addresses: groupByInterface(entries), numbers };
}

/** The names of this machine's interfaces, for messages: `lo, eth0`. */
export function interfaceNames(): string {
  try {
    return [...interfaceAddresses().keys()].join(', ') || 'none';
  } catch {
    return 'they could not be listed';
  }
}

/** The INTERFACE_MISSING error: which interface is missing, and which exist. */
export function interfaceMissing(name: string, cause?: unknown): ReveilleError {
  return new ReveilleError('INTERFACE_MISSING', `there is no interface ${name}`, {
    hint: `interfaces of this machine: ${interfaceNames()}`,
    cause,
  });
}

function groupByInterface(entries: readonly InterfaceEntry[]): Map<string, InterfaceAddress[]> {
  const macs = new Map<string, Mac>();
  const addresses = new Map<string, InterfaceAddress[]>();
  for (const entry of entries) {
    if (entry.kind !== 'link') continue;
    macs.set(entry.name, entry.mac);
    addresses.set(entry.name, []);
  }
  for (const entry of entries) {
    if (entry.kind !== 'inet') continue;
    const { ip, netmask } = entry;
    const mac = macs.get(entry.name) ?? NO_MAC;
    const list = addresses.get(entry.name) ?? [];
    list.push({ ip, prefix: 32 - Math.log2(2 ** 32 - netmask), mac });
    addresses.set(entry.name, list);
  }
  return addresses;
}

const NO_MAC = parseMac('00:00:00:00:00:00') as Mac;
