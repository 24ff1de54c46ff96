import type { Event } from '../event.ts';
import type { Ipv4 } from '../ipv4.ts';
import type { Lease } from '../lease.ts';
import { type Mac, macFromBytes } from '../mac.ts';

export const mac = (last: number): Mac => macFromBytes(Uint8Array.of(0x52, 0x54, 0, 0, 0, last));
export const ip = (last: number): Ipv4 => (0x0a000000 + last) as Ipv4;

/** A lease of MAC `owner` on 10.0.0.`last`. */
export function lease(last: number, owner: number, more: Partial<Lease> = {}): Lease {
  const start = 1_800_000_000_000;
  return { ip: ip(last), mac: mac(owner), network: 'rack', state: 'bound', start, expires: start + 7_200_000, ...more };
}

/** An event of one node (or of a stranger). */
export function offer(at: number, who: { node?: string; mac?: Mac } = {}): Event {
  return { kind: 'dhcp.offer', stage: 'firmware', ip: ip(1), at, ...who };
}
