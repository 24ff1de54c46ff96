import { type Ipv4, type Ipv4Range, inRange, inSubnet } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import type { Network, Pool } from '../model/network.ts';
import { mayAdmitNodes } from '../model/pools.ts';
import { Expiries } from './expiries.ts';
import { FreeAddresses } from './freeAddresses.ts';
import type { DhcpSite } from './site.ts';

/** An address held for a client between OFFER and REQUEST. It is in memory only. */
export type Offer = { readonly ip: Ipv4; readonly mac: Mac; readonly network: string; readonly until: number };

/** How long an offer holds its address, in milliseconds. */
export const OFFER_MS = 30_000;

/** What decisions ask of the book. Nothing here changes it; what it counts and proposes takes expiry into account up to the last `expire`. */
export type BookView = {
  leaseOf(network: string, mac: Mac): Lease | undefined;
  leaseAt(ip: Ipv4): Lease | undefined;
  offerAt(ip: Ipv4): Offer | undefined;
  offerOf(network: string, mac: Mac): Offer | undefined;
  /**
   * Whether a machine that the site does not list finds room in the pool: of a pool that nodes draw from, too, as many
   * addresses are left to them as there are nodes without, up to half of it.
   */
  hasRoomForStrangers(pool: Pool): boolean;
  /** Whether `mac` may have `ip` at `now`: no other machine holds it and it is kept for none. */
  isFree(ip: Ipv4, mac: Mac, now: number): boolean;
  /**
   * Proposes an address of the network's pools for `mac`, in the order of RFC 2131 section 4.3.1: the one it has, the one it was
   * offered or had before, the one it asks for, a new one, the one unused for longest. `undefined` if all are taken.
   */
  propose(network: Network, pools: readonly Pool[], mac: Mac, wanted: Ipv4 | undefined, now: number): Ipv4 | undefined;
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
  /** What a lease that could not be saved had replaced, so that a later failure does not bring it back. */
  readonly #undone = new WeakMap<Lease, readonly Lease[]>();
  #expiries = new Expiries();
  /** One for each pool of the site, by its first address. */
  #free: readonly FreeAddresses[] = [];
  /** By a pool's first address: how many of its addresses can be lent, and how many nodes may draw from it. */
  #sizes: ReadonlyMap<Ipv4, { readonly size: number; readonly nodes: number }> = new Map();
  #nodes: ReadonlyMap<Mac, unknown> = new Map();
  /** Addresses that are kept for some machines; for an empty list no machine may have it. */
  #kept: ReadonlyMap<Ipv4, readonly Mac[]> = new Map();
  /** The site's networks by their subnets, which do not overlap. */
  #homes: readonly Network[] = [];
  /** Names, subnets and pools, as text: while these are the same, leases stay where they are filed. */
  #layout = '';
  /** Of a lease that an edit of the site moved to another network: the lease as it was put. */
  readonly #origins = new WeakMap<Lease, Lease>();
  readonly #changed: (ip: Ipv4) => void;

  /** `changed`: the address has another lease, or none any more. */
  constructor(changed: (ip: Ipv4) => void = () => {}) {
    this.#changed = changed;
  }

  /**
   * Takes over a site: its pools, its reservations, and its own addresses in pools. A lease belongs to the network that holds its
   * address, however the site calls that. Returns the addresses whose leases belong to another network than before.
   */
  configure(site: DhcpSite): readonly Ipv4[] {
    const kept = new Map<Ipv4, readonly Mac[]>();
    for (const [ip, node] of site.nodeByIp) kept.set(ip, node.macs);
    for (const ip of site.awaited.keys()) kept.set(ip, []);
    for (const network of site.networks.values()) {
      for (const ip of [network.server, network.gateway, network.subnet.base, network.broadcast]) {
        if (ip !== undefined) kept.set(ip, []);
      }
    }
    const before = { kept: this.#kept, nodes: this.#nodes };
    this.#kept = kept;
    this.#nodes = site.nodeByMac;
    this.#homes = [...site.networks.values()].sort((a, b) => a.subnet.base - b.subnet.base);
    const layout = layoutOf(this.#homes);
    const ranges = this.#homes.flatMap(({ pools }) => pools.map(({ range }) => range));
    ranges.sort((a, b) => a.first - b.first);
    this.#sizes = sizesOf(site, kept, ranges);
    if (layout === this.#layout) {
      this.#follow(before.kept, before.nodes);
      return [];
    }
    this.#layout = layout;
    this.#free = ranges.map((range) => new FreeAddresses(range, (ip) => this.#kept.has(ip)));
    return this.#arrange();
  }

  /**
   * Takes leases over from the store; of an address that has a lease already, that is newer. Of two leases of one client the later
   * one counts, and the other keeps its address taken. Returns what `configure` does.
   */
  load(leases: readonly Lease[]): readonly Ipv4[] {
    for (const lease of leases) if (!this.#byIp.has(lease.ip)) this.#set(lease);
    return this.#arrange();
  }

  /** Leases that run at `now` though the site has no place for them: of addresses in no network; of addresses that no pool lends and no node keeps. */
  misplaced(now: number): { readonly nowhere: readonly Lease[]; readonly unlent: readonly Lease[] } {
    const nowhere: Lease[] = [];
    const unlent: Lease[] = [];
    for (const lease of this.#byIp.values()) {
      if (lease.state !== 'bound' || lease.expires <= now) continue;
      if (!this.#homeOf(lease.ip)) nowhere.push(lease);
      else if (!this.#freeIn(lease.ip) && !this.#kept.has(lease.ip)) unlent.push(lease);
    }
    return { nowhere, unlent };
  }

  /** Of the same networks and pools, files anew what is kept or is kept no longer, and what machines hold that became nodes or are none any more. */
  #follow(kept: ReadonlyMap<Ipv4, unknown>, nodes: ReadonlyMap<Mac, unknown>): void {
    const isOther = (mac: Mac): boolean => nodes.has(mac) !== this.#nodes.has(mac);
    const anew = new Set([...kept.keys()].filter((ip) => !this.#kept.has(ip)));
    for (const ip of this.#kept.keys()) if (!kept.has(ip)) anew.add(ip);
    for (const { ip, mac } of this.#byIp.values()) if (isOther(mac)) anew.add(ip);
    for (const { ip, mac } of this.#offers.values()) if (isOther(mac)) anew.add(ip);
    for (const ip of anew) {
      const lease = this.#byIp.get(ip);
      const offer = this.#offers.get(ip);
      if (lease) this.#file(lease);
      else this.#giveBack(ip);
      if (offer) this.#freeIn(ip)?.take(ip, this.#nodes.has(offer.mac));
    }
  }

  /** Puts all leases and offers where they are found by the site as it is now. */
  #arrange(): readonly Ipv4[] {
    const moved: Ipv4[] = [];
    this.#byClient.clear();
    this.#expiries = new Expiries();
    for (const each of [...this.#byIp.values()].sort((a, b) => a.expires - b.expires)) {
      const lease = this.#atHome(each);
      if (lease !== each) {
        this.#set(lease);
        moved.push(lease.ip);
      }
      this.#register(lease);
      this.#file(lease);
    }
    const offers = [...this.#offers.values()];
    this.#offers.clear();
    this.#offerOf.clear();
    for (const each of offers) {
      const offer = { ...each, network: this.#homeOf(each.ip)?.name ?? each.network };
      this.#offers.set(offer.ip, offer);
      this.#offerOf.set(clientKey(offer.network, offer.mac), offer);
      this.#freeIn(offer.ip)?.take(offer.ip, this.#nodes.has(offer.mac));
    }
    return moved;
  }

  /** The lease with the network that its address lies in; as it is where it lies in none. */
  #atHome(lease: Lease): Lease {
    const network = this.#homeOf(lease.ip)?.name ?? lease.network;
    if (network === lease.network) return lease;
    const moved = { ...lease, network };
    this.#origins.set(moved, this.#originOf(lease));
    return moved;
  }

  #originOf(lease: Lease): Lease {
    return this.#origins.get(lease) ?? lease;
  }

  /** The client is found by its newest lease in each network. */
  #register(lease: Lease): void {
    if (lease.state === 'declined' || !this.#homeOf(lease.ip)) return;
    const key = clientKey(lease.network, lease.mac);
    const other = this.#byClient.get(key);
    if (!other || other.start <= lease.start) this.#byClient.set(key, lease);
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

  offerOf(network: string, mac: Mac): Offer | undefined {
    return this.#offerOf.get(clientKey(network, mac));
  }

  hasRoomForStrangers({ range }: Pool): boolean {
    const sizes = this.#sizes.get(range.first);
    const free = this.#freeIn(range.first);
    if (!sizes || !free) return true;
    const { held, byNodes, declined } = free.taken;
    const forNodes = Math.min(sizes.nodes, sizes.size >> 1) - byNodes;
    return forNodes <= 0 || sizes.size - held - declined > forNodes;
  }

  /** How many leases are on record. */
  get size(): number {
    return this.#byIp.size;
  }

  leases(): IterableIterator<Lease> {
    return this.#byIp.values();
  }

  isFree(ip: Ipv4, mac: Mac, now: number): boolean {
    if (!this.#mayHave(ip, mac)) return false;
    const offer = this.#offers.get(ip);
    if (offer && offer.until > now) return offer.mac === mac;
    const lease = this.#byIp.get(ip);
    if (!lease || lease.expires <= now) return true;
    return lease.state === 'released' || (lease.state === 'bound' && lease.mac === mac);
  }

  propose(network: Network, pools: readonly Pool[], mac: Mac, wanted: Ipv4 | undefined, now: number): Ipv4 | undefined {
    const key = clientKey(network.name, mac);
    for (const ip of [this.#byClient.get(key)?.ip, this.#offerOf.get(key)?.ip, wanted]) {
      if (ip !== undefined && pools.some(({ range }) => inRange(range, ip)) && this.isFree(ip, mac, now)) return ip;
    }
    const free = pools.flatMap(({ range }) => this.#freeIn(range.first) ?? []);
    const isFree = (ip: Ipv4): boolean => this.isFree(ip, mac, now);
    const isUnused = (ip: Ipv4): boolean => !this.#byIp.has(ip) && isFree(ip);
    // A client that declines one address after the other must not use the pool up for the others.
    const isUnclaimed = (ip: Ipv4): boolean => this.#mayHave(ip, mac) && !this.#offers.has(ip);
    return (
      firstOf(free, (pool) => pool.neverUsed(isUnused)) ??
      firstOf(free, (pool) => pool.longestUnused(isFree)) ??
      firstOf(free, (pool) => pool.oldestDeclined(isUnclaimed))
    );
  }

  /** Takes back what leases and offers held until `now`. */
  expire(now: number): void {
    for (const [ip, expires] of this.#expiries.takeUntil(now)) {
      if (this.#byIp.get(ip)?.expires === expires && !this.#offers.has(ip)) this.#giveBack(ip);
    }
    for (const offer of this.#offers.values()) {
      if (offer.until > now) break;
      this.withdraw(offer.network, offer.mac);
    }
  }

  /** Holds an address for the client until `OFFER_MS` from `now`; its earlier offer in this network is withdrawn. */
  offer(network: string, mac: Mac, ip: Ipv4, now: number): Offer {
    this.withdraw(network, mac);
    const other = this.#offers.get(ip);
    if (other) this.withdraw(other.network, other.mac);
    const offer = { ip, mac, network, until: now + OFFER_MS };
    this.#freeIn(ip)?.take(ip, this.#nodes.has(mac));
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
    const lease = this.#byIp.get(offer.ip);
    if (lease) this.#file(lease);
    else this.#giveBack(offer.ip);
  }

  /** Writes a lease. The client's lease of another address in the same network is given up. Returns the way back. */
  put(lease: Lease): () => void {
    const atIp = this.#byIp.get(lease.ip);
    const ofClient = lease.state === 'declined' ? undefined : this.leaseOf(lease.network, lease.mac);
    const replaced = [...new Set([atIp, ofClient])].filter((before) => before !== undefined);
    this.withdraw(lease.network, lease.mac);
    for (const before of replaced) this.#forget(before);
    this.#write(lease);
    return () => {
      this.#undone.set(lease, replaced);
      const before = this.#savedBefore(lease);
      // A client may ask on and on while the disk takes nothing: what is looked at must not become longer each time.
      this.#undone.set(lease, before);
      const current = this.#byIp.get(lease.ip);
      if (!current || this.#originOf(current) !== lease) return;
      this.#forget(current);
      for (const each of before) {
        const saved = this.#atHome(each);
        if (!this.#byIp.has(saved.ip) && !this.leaseOf(saved.network, saved.mac)) this.#write(saved);
      }
    };
  }

  /** What a lease that could not be saved had replaced, as far as that was saved or still may be. */
  #savedBefore(lease: Lease): readonly Lease[] {
    const saved = new Set<Lease>();
    const open = [lease];
    for (let next = open.pop(); next; next = open.pop()) {
      const replaced = this.#undone.get(next);
      if (replaced) open.push(...replaced);
      else saved.add(next);
    }
    return [...saved];
  }

  #set(lease: Lease): void {
    this.#byIp.set(lease.ip, lease);
    this.#changed(lease.ip);
  }

  #write(lease: Lease): void {
    this.#set(lease);
    if (lease.state !== 'declined') this.#byClient.set(clientKey(lease.network, lease.mac), lease);
    this.#file(lease);
  }

  #forget(lease: Lease): void {
    const key = clientKey(lease.network, lease.mac);
    if (this.#byClient.get(key) === lease) this.#byClient.delete(key);
    if (this.#byIp.get(lease.ip) !== lease) return;
    this.#byIp.delete(lease.ip);
    this.#changed(lease.ip);
    this.#giveBack(lease.ip);
  }

  /** Puts a lease's address where `propose` finds it when its time has come. */
  #file(lease: Lease): void {
    if (lease.state === 'released') {
      this.#giveBack(lease.ip);
      return;
    }
    const free = this.#freeIn(lease.ip);
    if (lease.state === 'declined') free?.setAside(lease.ip);
    else free?.take(lease.ip, this.#nodes.has(lease.mac));
    this.#expiries.push(lease.ip, lease.expires);
  }

  #giveBack(ip: Ipv4): void {
    const pool = this.#freeIn(ip);
    if (this.#kept.has(ip)) pool?.forget(ip);
    else pool?.giveBack(ip);
  }

  #mayHave(ip: Ipv4, mac: Mac): boolean {
    const macs = this.#kept.get(ip);
    return macs === undefined || macs.includes(mac);
  }

  /** Pools do not overlap, and neither do subnets. */
  #freeIn(ip: Ipv4): FreeAddresses | undefined {
    const pool = lastUpTo(ip, this.#free, ({ range }) => range.first);
    return pool?.holds(ip) ? pool : undefined;
  }

  #homeOf(ip: Ipv4): Network | undefined {
    const network = lastUpTo(ip, this.#homes, ({ subnet }) => subnet.base);
    return network && inSubnet(network.subnet, ip) ? network : undefined;
  }
}

/** Of what is sorted by where it begins, the last that begins at or before `ip`. */
function lastUpTo<T>(ip: Ipv4, sorted: readonly T[], firstOf: (each: T) => Ipv4): T | undefined {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const each = sorted[middle];
    if (each !== undefined && firstOf(each) <= ip) low = middle + 1;
    else high = middle;
  }
  return sorted[low - 1];
}

/** What decides where a lease is filed. */
function layoutOf(networks: readonly Network[]): string {
  return JSON.stringify(networks.map(({ name, subnet, pools }) => [name, subnet, pools.map(({ range }) => range)]));
}

/** Of each pool by its first address: what can be lent of it, and how many nodes without an address of their own may draw from it. */
function sizesOf({ networks, nodes }: DhcpSite, kept: ReadonlyMap<Ipv4, unknown>, ranges: readonly Ipv4Range[]) {
  const keptIn = new Map<Ipv4, number>();
  for (const ip of kept.keys()) {
    const range = lastUpTo(ip, ranges, ({ first }) => first);
    if (range && inRange(range, ip)) keptIn.set(range.first, (keptIn.get(range.first) ?? 0) + 1);
  }
  const drawing = new Map<string | undefined, number>();
  for (const { ip, network } of nodes.values())
    if (ip === undefined) drawing.set(network, (drawing.get(network) ?? 0) + 1);
  const sizes = new Map<Ipv4, { size: number; nodes: number }>();
  for (const { name, pools } of networks.values()) {
    const all = (drawing.get(name) ?? 0) + (drawing.get(undefined) ?? 0);
    for (const pool of pools) {
      const { first, last } = pool.range;
      const size = last - first + 1 - (keptIn.get(first) ?? 0);
      sizes.set(first, { size, nodes: mayAdmitNodes(pool) ? all : 0 });
    }
  }
  return sizes;
}

function firstOf(pools: readonly FreeAddresses[], find: (pool: FreeAddresses) => Ipv4 | undefined): Ipv4 | undefined {
  for (const pool of pools) {
    const ip = find(pool);
    if (ip !== undefined) return ip;
  }
  return undefined;
}

function clientKey(network: string, mac: Mac): string {
  return `${network} ${mac}`;
}
