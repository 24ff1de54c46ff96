import { readFileSync } from 'node:fs';
import type { Mac } from '../model/mac.ts';

/** Where Debian's packages ieee-data and hwdata install the register of vendors. */
const REGISTERS = ['/usr/share/ieee-data/oui.txt', '/var/lib/ieee-data/oui.txt', '/usr/share/hwdata/oui.txt'];

/**
 * The vendors of network cards by the first three bytes of their addresses, if a register is installed and contains them. Locally
 * administered addresses have no vendor.
 */
export function vendorsOf(macs: readonly Mac[], registers: readonly string[] = REGISTERS): ReadonlyMap<Mac, string> {
  const register = firstReadable(registers);
  const vendors = new Map<Mac, string>();
  if (register === undefined || macs.length === 0) return vendors;
  const wanted = new Set(macs.map(prefixOf));
  const names = new Map<string, string>();
  for (const [, prefix = '', name = ''] of register.matchAll(
    /^([0-9A-F]{2}-[0-9A-F]{2}-[0-9A-F]{2})\s+\(hex\)\s+(.+?)\s*$/gm,
  )) {
    if (wanted.has(prefix)) names.set(prefix, name);
  }
  for (const mac of macs) {
    const name = names.get(prefixOf(mac));
    if (name !== undefined) vendors.set(mac, name);
  }
  return vendors;
}

function prefixOf(mac: Mac): string {
  return mac.slice(0, 8).replaceAll(':', '-').toUpperCase();
}

function firstReadable(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      // Not installed: the next may be.
    }
  }
  return undefined;
}
