import { type Ipv4, type Ipv4Range, inRange, inSubnet } from './ipv4.ts';
import type { Network } from './network.ts';

/**
 * The networks of a site, found by address, interface, relay and server in a time that does not grow with their number. Where several fit, the
 * first of the site counts, or all come in its order.
 */
export class NetworkIndex<N extends Network = Network> {
  readonly #byPrefix = new Map<number, Map<number, N>>();
  readonly #byInterface = new Map<string | undefined, N[]>();
  readonly #byServer = new Map<Ipv4, N[]>();
  readonly #byRelay = new Map<Ipv4, N>();
  /** Ranges of relays, which a site has few of. */
  readonly #relayRanges: { readonly range: Ipv4Range; readonly network: N }[] = [];
  readonly #places = new Map<N, number>();
  readonly first: N | undefined;

  constructor(networks: Iterable<N>) {
    for (const network of networks) {
      this.#places.set(network, this.#places.size);
      const { base, prefix } = network.subnet;
      const bases = this.#byPrefix.getOrInsert(prefix, new Map<number, N>());
      if (!bases.has(base)) bases.set(base, network);
      this.#byInterface.getOrInsert(network.interface, []).push(network);
      if (network.server !== undefined) this.#byServer.getOrInsert(network.server, []).push(network);
      for (const range of network.relays) {
        if (range.first !== range.last) this.#relayRanges.push({ range, network });
        else if (!this.#byRelay.has(range.first)) this.#byRelay.set(range.first, network);
      }
    }
    this.first = this.#places.keys().next().value;
  }

  /** The network whose subnet holds the address. */
  at(ip: Ipv4): N | undefined {
    let found: N | undefined;
    for (const [prefix, bases] of this.#byPrefix) {
      const network = bases.get(prefix === 0 ? 0 : (ip & (-1 << (32 - prefix))) >>> 0);
      if (network && inSubnet(network.subnet, ip)) found = this.#earlier(found, network);
    }
    return found;
  }

  /** The networks of an interface; of `undefined` those that only relays reach. */
  on(name: string | undefined): readonly N[] {
    return this.#byInterface.get(name) ?? [];
  }

  /** The networks in which the server has this address. */
  servedBy(server: Ipv4): readonly N[] {
    return this.#byServer.get(server) ?? [];
  }

  /** The network that lists the relay among its own. */
  ofRelay(relay: Ipv4): N | undefined {
    const inRanges = this.#relayRanges.find(({ range }) => inRange(range, relay))?.network;
    const alone = this.#byRelay.get(relay);
    return inRanges && alone ? this.#earlier(inRanges, alone) : (inRanges ?? alone);
  }

  #earlier(one: N | undefined, other: N): N {
    return one === undefined || (this.#places.get(other) ?? 0) < (this.#places.get(one) ?? 0) ? other : one;
  }
}

const INDICES = new WeakMap<ReadonlyMap<string, Network>, NetworkIndex>();

/** The index of a site's networks, made once. */
export function networkIndex(networks: ReadonlyMap<string, Network>): NetworkIndex {
  const known = INDICES.get(networks);
  if (known !== undefined) return known;
  const index = new NetworkIndex(networks.values());
  INDICES.set(networks, index);
  return index;
}
