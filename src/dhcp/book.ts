import { type Ipv4, inRange } from '../net/ipv4.ts';
import type { Mac } from '../net/mac.ts';
import type { Network, Pool, Site } from '../site/model.ts';
import { Expiries } from './expiries.ts';
import type { Lease } from './lease.ts';

/** An address held for a client between OFFER and REQUEST. It is in memory only. */
export type Offer = { readonly ip: Ipv4; readonly mac: Mac; readonly network: string; readonly until: number };

/** How long an offer holds its address, in milliseconds. */
export const OFFER_MS = 30_000;

/** What decisions may ask of the book. Nothing here gives an address away. */
export type BookView = {
  leaseOf(network: string, mac: Mac): Lease | undefined;
  leaseAt(ip: Ipv4): Lease | undefined;
  offerAt(ip: Ipv4): Offer | undefined;
  /** Whether `mac` may have `ip` at `now`: nobody else holds it and it is kept for nobody. */
  isFree(ip: Ipv4, mac: Mac, now: number): boolean;
  /**
   * An address of the network's pools for `mac`, in the order of RFC 2131 section 4.3.1: the one it has, the one it was
   * offered or had before, the one it asks for, a new one, the one unused for longest. `undefined` if all are taken.
   */
  choose(network: Network, pools: readonly Pool[], mac: Mac, wanted: Ipv4 | undefined, now: number): Ipv4 | undefined;
};

/**
 * Who has which address, in memory. At most one lease for an address, one lease and one offer for a MAC in each network,
 * so that its size is bounded by the pools and the site's nodes, whatever clients send.
 */
export class LeaseBook implements BookView {
  readonly #byIp = new Map<Ipv4, Lease>();
  readonly #byClient = new Map<string, Lease>();
  readonly #offers = new Map<Ipv4, Offer>();
  readonly #offerOf = new Map<string, Offer>();
  readonly #expiries = new Expiries();
  /** Addresses whose lease is over, the one unused for longest first. */
  readonly #lapsed = new Set<Ipv4>();
  /** Addresses that were declined, the oldest first. */
  readonly #declined = new Set<Ipv4>();
  /** How far each range was handed out for the first time, by its first address. */
  readonly #fresh = new Map<Ipv4, number>();
  /** What a lease that could not be saved had replaced, so that a later failure does not bring it back. */
  readonly #undone = new WeakMap<Lease, Lease>();
  #reserved: ReadonlyMap<Ipv4, readonly Mac[]> = new Map();

  /** Takes over a site: its reservations, and its own addresses in pools. */
  configure(site: Site): void {
    const reserved = new Map<Ipv4, readonly Mac[]>();
    for (const network of site.networks.values()) {
      for (const ip of [network.server, network.gateway, network.subnet.base, network.broadcast]) {
        if (ip !== undefined) reserved.set(ip, []);
      }
    }
    for (const [ip, node] of site.nodeByIp) reserved.set(ip, node.macs);
    this.#reserved = reserved;
    this.#fresh.clear();
  }

  /** Takes leases over from the store. */
  load(leases: readonly Lease[]): void {
    for (const lease of leases) this.put(lease);
  }

  leaseOf(network: string, mac: Mac): Lease | undefined {
    return this.#byClient.get(clientKey(network, mac));
  }

  leaseAt(ip: Ipv4): Lease | undefined {
    return this.#byIp.get(ip);
  }

  offerAt(ip: Ipv4): Offer | undefined {
    return this.#offers.get(ip);
  }

  leases(): IterableIterator<Lease> {
    return this.#byIp.values();
  }

  isFree(ip: Ipv4, mac: Mac, now: number): boolean {
    const kept = this.#reserved.get(ip);
    if (kept && !kept.includes(mac)) return false;
    const offer = this.#offers.get(ip);
    if (offer && offer.mac !== mac && offer.until > now) return false;
    const lease = this.#byIp.get(ip);
    if (!lease || lease.expires <= now) return true;
    return lease.state === 'released' || (lease.state === 'bound' && lease.mac === mac);
  }

  choose(network: Network, pools: readonly Pool[], mac: Mac, wanted: Ipv4 | undefined, now: number): Ipv4 | undefined {
    const usable = (ip: Ipv4 | undefined): ip is Ipv4 =>
      ip !== undefined && pools.some((pool) => inRange(pool.range, ip)) && this.isFree(ip, mac, now);
    const key = clientKey(network.name, mac);
    for (const ip of [this.#byClient.get(key)?.ip, this.#offerOf.get(key)?.ip, wanted]) if (usable(ip)) return ip;
    return this.#neverUsed(pools, mac, now) ?? this.#longestUnused(usable, now) ?? this.#oldestDeclined(pools);
  }

  /** Holds an address for the client until `OFFER_MS` from `now`; its earlier offer in this network is withdrawn. */
  offer(network: string, mac: Mac, ip: Ipv4, now: number): Offer {
    this.withdraw(network, mac);
    const offer = { ip, mac, network, until: now + OFFER_MS };
    const other = this.#offers.get(ip);
    if (other) this.withdraw(other.network, other.mac);
    this.#lapsed.delete(ip);
    this.#offers.set(ip, offer);
    this.#offerOf.set(clientKey(network, mac), offer);
    return offer;
  }

  /** Forgets the client's offer in this network; its address goes back to where it is found again. */
  withdraw(network: string, mac: Mac): void {
    const offer = this.#offerOf.get(clientKey(network, mac));
    if (!offer) return;
    this.#offerOf.delete(clientKey(network, mac));
    this.#offers.delete(offer.ip);
    if (!this.#byIp.has(offer.ip)) this.#lapsed.add(offer.ip);
  }

  /** Writes a lease. The client's lease of another address in the same network is given up. Returns the way back. */
  put(lease: Lease): () => void {
    const key = clientKey(lease.network, lease.mac);
    const atIp = this.#byIp.get(lease.ip);
    const ofClient = lease.state === 'declined' ? undefined : this.#byClient.get(key);
    this.withdraw(lease.network, lease.mac);
    if (ofClient && ofClient.ip !== lease.ip) this.#forget(ofClient);
    if (atIp && atIp.mac !== lease.mac) this.#forget(atIp);
    this.#write(lease);
    return () => {
      if (this.#byIp.get(lease.ip) !== lease) return;
      this.#forget(lease);
      this.#lapsed.add(lease.ip);
      for (const before of [atIp, ofClient]) {
        const saved = before && this.#lastSaved(before);
        if (saved && !this.#byIp.has(saved.ip) && !this.#byClient.has(clientKey(saved.network, saved.mac)))
          this.#write(saved);
      }
      if (atIp) this.#undone.set(lease, atIp);
    };
  }

  #lastSaved(lease: Lease): Lease | undefined {
    let saved: Lease | undefined = lease;
    for (let before = this.#undone.get(saved); before; before = this.#undone.get(saved)) saved = before;
    return saved;
  }

  #write(lease: Lease): void {
    this.#byIp.set(lease.ip, lease);
    this.#lapsed.delete(lease.ip);
    this.#declined.delete(lease.ip);
    if (lease.state === 'declined') this.#declined.add(lease.ip);
    else this.#byClient.set(clientKey(lease.network, lease.mac), lease);
    if (lease.state === 'released') this.#lapsed.add(lease.ip);
    else this.#expiries.push(lease.ip, lease.expires);
  }

  #forget(lease: Lease): void {
    if (this.#byIp.get(lease.ip) === lease) this.#byIp.delete(lease.ip);
    const key = clientKey(lease.network, lease.mac);
    if (this.#byClient.get(key) === lease) this.#byClient.delete(key);
    this.#declined.delete(lease.ip);
    this.#lapsed.add(lease.ip);
  }

  /** The next address of the pools that nobody had since the site was loaded. */
  #neverUsed(pools: readonly Pool[], mac: Mac, now: number): Ipv4 | undefined {
    for (const { range } of pools) {
      let next = this.#fresh.get(range.first) ?? range.first;
      while (next <= range.last && (this.#byIp.has(next as Ipv4) || !this.isFree(next as Ipv4, mac, now))) next++;
      this.#fresh.set(range.first, next);
      if (next <= range.last) return next as Ipv4;
    }
    return undefined;
  }

  #longestUnused(usable: (ip: Ipv4) => boolean, now: number): Ipv4 | undefined {
    for (const [ip, expires] of this.#expiries.takeUntil(now)) {
      const lease = this.#byIp.get(ip);
      if (lease?.expires !== expires) continue;
      this.#declined.delete(ip);
      this.#lapsed.add(ip);
    }
    for (const offer of this.#offers.values()) {
      if (offer.until > now) break;
      this.withdraw(offer.network, offer.mac);
    }
    for (const ip of this.#lapsed) if (usable(ip)) return ip;
    return undefined;
  }

  /** A client that declines one address after the other must not use the pool up for the others. */
  #oldestDeclined(pools: readonly Pool[]): Ipv4 | undefined {
    for (const ip of this.#declined) {
      if (pools.some((pool) => inRange(pool.range, ip)) && !this.#offers.has(ip) && !this.#reserved.has(ip)) return ip;
    }
    return undefined;
  }
}

function clientKey(network: string, mac: Mac): string {
  return `${network} ${mac}`;
}
