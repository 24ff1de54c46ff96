import type { Ipv4 } from '../model/ipv4.ts';
import type { Refusal } from '../model/refusal.ts';
import type { DhcpSite } from './site.ts';
import type { SwitchPort } from './switchPort.ts';
import type { Wire } from './wire.ts';

/** A machine that the site does not list, as far as its share of the pools is concerned. */
export type Newcomer = {
  readonly port: SwitchPort | undefined;
  /** The networks of its wire. */
  readonly wire: Wire['networks'];
};

/** What decisions may ask. */
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
    if (port && most !== undefined && this.#held.isFull(port.key, most, now)) {
      return port.kind === 'port' ? { code: 'switch-port-full', most } : { code: 'relay-full', relay: port.key, most };
    }
    const { tokens, rate } = this.#bucket(wire, now);
    if (tokens >= 1) return undefined;
    return { code: 'strangers-limited', rate };
  }

  /** One is given or offered an address until then; if it had none, it counts as new. */
  take({ port, wire, isNew }: Newcomer & { readonly isNew: boolean }, ip: Ipv4, until: number, now: number): void {
    if (isNew) {
      const bucket = this.#bucket(wire, now);
      bucket.tokens = Math.max(0, bucket.tokens - 1);
    }
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

  #bucket(wire: Wire['networks'], now: number): Bucket {
    const key = wire[0]?.interface ?? wire[0]?.name ?? '';
    let bucket = this.#buckets.get(key);
    if (!bucket) {
      const rate = this.#limits?.strangersPerSecond ?? usualRate(wire);
      bucket = { rate, tokens: rate * BURST_SECONDS, at: now };
      this.#buckets.set(key, bucket);
    }
    const { rate, at, tokens } = bucket;
    bucket.tokens = Math.min(rate * BURST_SECONDS, tokens + ((now - at) / 1000) * rate);
    bucket.at = now;
    return bucket;
  }
}

type Bucket = { readonly rate: number; tokens: number; at: number };

function usualRate(wire: Wire['networks']): number {
  const ranges = wire.flatMap(({ pools }) => pools.map(({ range }) => range));
  const addresses = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  return Math.max(USUAL_RATE, Math.floor(addresses / USUAL_PART));
}

/** What is held at one port, each address until when; and when that was last gone through. */
type Held = { readonly until: Map<Ipv4, number>; sweptAt: number };

/** A full port is gone through for what has expired no more often than this. */
const SWEEP_MS = 1000;

/** Which addresses are held at which port, and until when. An address is at one port at most. */
class HeldByPort {
  readonly #ports = new Map<string, Held>();
  readonly #portOf = new Map<Ipv4, string>();

  /** Whether so many are held that have not expired. Those that have are forgotten once their place is needed. */
  isFull(port: string, most: number, now: number): boolean {
    const held = this.#ports.get(port);
    if (!held || held.until.size < most) return false;
    if (now - held.sweptAt >= SWEEP_MS) {
      held.sweptAt = now;
      for (const [ip, until] of held.until) if (until <= now) this.drop(ip);
    }
    return held.until.size >= most;
  }

  hold(port: string, ip: Ipv4, until: number): void {
    const held = this.#ports.get(port);
    const before = held?.until.get(ip);
    if (before !== undefined) {
      // An offer does not end a lease.
      held?.until.set(ip, Math.max(before, until));
      return;
    }
    this.drop(ip);
    this.#portOf.set(ip, port);
    if (held) held.until.set(ip, until);
    else this.#ports.set(port, { until: new Map([[ip, until]]), sweptAt: Number.NEGATIVE_INFINITY });
  }

  drop(ip: Ipv4): void {
    const port = this.#portOf.get(ip);
    if (port === undefined) return;
    this.#portOf.delete(ip);
    const held = this.#ports.get(port);
    held?.until.delete(ip);
    if (held?.until.size === 0) this.#ports.delete(port);
  }
}
