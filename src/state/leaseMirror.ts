import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';

/** The leases as they were last committed, in memory: what a file that lost them is given back. */
export class LeaseMirror {
  readonly #leases = new Map<Ipv4, Lease>();
  /** By network and MAC, the addresses that are not set aside. */
  readonly #held = new Map<string, Set<Ipv4>>();

  /** Takes leases over in their order, as the store does: a bound one ends the other leases of its MAC in its network. */
  keep(leases: readonly Lease[]): void {
    for (const lease of leases) {
      this.#remove(lease.ip);
      if (lease.state === 'bound') for (const ip of [...(this.#held.get(keyOf(lease)) ?? [])]) this.#remove(ip);
      this.#leases.set(lease.ip, lease);
      if (lease.state === 'declined') continue;
      const held = this.#held.get(keyOf(lease));
      if (held) held.add(lease.ip);
      else this.#held.set(keyOf(lease), new Set([lease.ip]));
    }
  }

  at(ip: Ipv4): Lease | undefined {
    return this.#leases.get(ip);
  }

  all(): readonly Lease[] {
    return [...this.#leases.values()];
  }

  #remove(ip: Ipv4): void {
    const before = this.#leases.get(ip);
    if (!before) return;
    this.#leases.delete(ip);
    const held = this.#held.get(keyOf(before));
    held?.delete(ip);
    if (held?.size === 0) this.#held.delete(keyOf(before));
  }
}

const keyOf = ({ network, mac }: Lease): string => `${network} ${mac}`;
