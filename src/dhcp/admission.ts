import type { Ipv4 } from '../model/ipv4.ts';
import type { Refusal } from '../model/refusal.ts';
import { Expiries } from './expiries.ts';
import type { DhcpSite } from './site.ts';
import type { SwitchPort } from './switchPort.ts';
import type { Wire } from './wire.ts';

/** A machine that the site does not list, as far as its share of the pools is concerned. */
export type Newcomer = {
  readonly port: SwitchPort | undefined;
  /** The networks of its wire. */
  readonly wire: Wire['networks'];
};

/** What decisions ask. Nothing here changes it; expiry counts up to the last `expire`. */
export type AdmissionView = {
  /** Why a machine that the site does not list may not have an address more at `now`; `undefined` if it may. */
  whyNot(who: Newcomer, now: number): Refusal | undefined;
};

/** New machines a second on a wire where the site does not say: so many, or a part of the addresses of the wire's pools. */
const USUAL_RATE = 200;
const USUAL_PART = 8;
/** A bucket holds what comes in so many seconds: machines that are switched on together all get in. */
const BURST_SECONDS = 5;

/**
 * How much of the pools machines that the site does not list may have: so many addresses at one switch port or relay, so many new
 * machines a second on one wire. Nodes never ask here. Its memory is bounded by the addresses of the pools and the wires.
 */
export class Admission implements AdmissionView {
  #limits: DhcpSite['dhcp'] | undefined;
  readonly #held = new HeldByPort();
  readonly #buckets = new Map<string, Bucket>();

  configure(site: DhcpSite): void {
    this.#limits = site.dhcp;
    this.#buckets.clear();
  }

  whyNot({ port, wire }: Newcomer, now: number): Refusal | undefined {
    if (!this.#limits) return undefined;
    const { strangersPerPort, strangersPerRelay } = this.#limits;
    const most = port?.kind === 'port' ? strangersPerPort : strangersPerRelay;
    if (port && most !== undefined && this.#held.countAt(port.key) >= most) {
      return port.kind === 'port' ? { code: 'switch-port-full', most } : { code: 'relay-full', relay: port.key, most };
    }
    const bucket = this.#buckets.get(bucketKey(wire));
    if (!bucket || tokensAt(bucket, now) >= 1) return undefined;
    return { code: 'strangers-limited', rate: bucket.rate };
  }

  /** Forgets what ports held until `now`. */
  expire(now: number): void {
    this.#held.expire(now);
  }

  /** One is given or offered an address until then; if it had none, it counts as new. */
  take({ port, wire, isNew }: Newcomer & { readonly isNew: boolean }, ip: Ipv4, until: number, now: number): void {
    if (isNew) this.#countNew(wire, now);
    this.hold(port, ip, until);
  }

  /** An address counts for a port until then. */
  hold(port: SwitchPort | undefined, ip: Ipv4, until: number): void {
    if (port) this.#held.hold(port.key, ip, until);
    else this.#held.drop(ip);
  }

  /** An address was given back. */
  drop(ip: Ipv4): void {
    this.#held.drop(ip);
  }

  #countNew(wire: Wire['networks'], now: number): void {
    const key = bucketKey(wire);
    let bucket = this.#buckets.get(key);
    if (!bucket) {
      const rate = this.#limits?.strangersPerSecond ?? usualRate(wire);
      bucket = { rate, tokens: rate * BURST_SECONDS, at: now };
      this.#buckets.set(key, bucket);
    }
    bucket.tokens = Math.max(0, tokensAt(bucket, now) - 1);
    bucket.at = now;
  }
}

/** So many new machines may come at the time `at`; a wire without a bucket has a full one. */
type Bucket = { readonly rate: number; tokens: number; at: number };

function bucketKey([first]: Wire['networks']): string {
  return first?.interface ?? first?.name ?? '';
}

function tokensAt({ rate, tokens, at }: Bucket, now: number): number {
  return Math.min(rate * BURST_SECONDS, tokens + ((now - at) / 1000) * rate);
}

function usualRate(wire: Wire['networks']): number {
  const ranges = wire.flatMap(({ pools }) => pools.map(({ range }) => range));
  const addresses = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  return Math.max(USUAL_RATE, Math.floor(addresses / USUAL_PART));
}

/** Which addresses are held at which port, and until when. An address is at one port at most. */
class HeldByPort {
  /** Of each port its addresses, each until when. */
  readonly #ports = new Map<string, Map<Ipv4, number>>();
  readonly #portOf = new Map<Ipv4, string>();
  readonly #expiries = new Expiries();

  countAt(port: string): number {
    return this.#ports.get(port)?.size ?? 0;
  }

  expire(now: number): void {
    for (const [ip, expired] of this.#expiries.takeUntil(now)) {
      const until = this.#ports.get(this.#portOf.get(ip) ?? '')?.get(ip);
      if (until !== undefined && until <= expired) this.drop(ip);
    }
  }

  hold(port: string, ip: Ipv4, until: number): void {
    let held = this.#ports.get(port);
    const before = held?.get(ip);
    // An offer does not end a lease.
    if (before !== undefined && before >= until) return;
    if (before === undefined) this.drop(ip);
    this.#portOf.set(ip, port);
    // Dropped with the last address that it had.
    held = this.#ports.get(port);
    if (held) held.set(ip, until);
    else this.#ports.set(port, new Map([[ip, until]]));
    this.#expiries.push(ip, until);
  }

  drop(ip: Ipv4): void {
    const port = this.#portOf.get(ip);
    if (port === undefined) return;
    this.#portOf.delete(ip);
    const held = this.#ports.get(port);
    held?.delete(ip);
    if (held?.size === 0) this.#ports.delete(port);
  }
}
