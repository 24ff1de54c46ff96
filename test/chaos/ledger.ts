import { DatabaseSync } from 'node:sqlite';
import { formatIpv4, type Ipv4 } from '../../src/model/ipv4.ts';
import type { Mac } from '../../src/model/mac.ts';
import { readDhcp } from '../fuzz/dhcpBytes.ts';
import type { Captured } from './capture.ts';

type Held = { readonly mac: Mac; readonly at: number; readonly until: number; readonly given: 'held' | 'back' };

/** A row of the server's leases. */
export type LeaseRow = { readonly ip: Ipv4; readonly mac: string; readonly state: string };

const ACK = 5;
const DECLINE = 4;
const RELEASE = 7;
const LEASE_TIME = 51;

/**
 * Who has which address by what was on the wire, whatever the server believes. Nothing may be doubled: no address goes to a second
 * machine while the first one's lease runs. Nothing may be lost: each lease is in the database until another takes its place.
 */
export class Ledger {
  readonly #reserved: ReadonlyMap<string, Ipv4>;
  readonly #reservedIps: ReadonlySet<Ipv4>;
  readonly #byIp = new Map<Ipv4, Held>();
  readonly #byMac = new Map<Mac, Ipv4>();
  readonly #wrong: string[] = [];
  #acks = 0;
  #lastPoolAck = 0;
  #pending: { readonly after: number; resolve(at: number): void }[] = [];

  /** `reserved` has the nodes' addresses by their MAC. */
  constructor(reserved: ReadonlyMap<string, Ipv4>) {
    this.#reserved = reserved;
    this.#reservedIps = new Set(reserved.values());
  }

  /** ACKs of addresses of pools so far, and when the last was sent. */
  get acks(): number {
    return this.#acks;
  }

  get lastPoolAck(): number {
    return this.#lastPoolAck;
  }

  /** Leases that run, by the wire. */
  get held(): number {
    return [...this.#byIp.values()].filter(({ given }) => given === 'held').length;
  }

  /** Resolves to the time of the first ACK of a pool address after `after`. */
  poolAckAfter(after: number): Promise<number> {
    return new Promise((resolve) => this.#pending.push({ after, resolve }));
  }

  /** Takes in one datagram of the wire, in their order. */
  see({ at, datagram }: Captured): void {
    const packet = readDhcp(datagram.payload);
    if (!packet) return;
    if (datagram.toPort === 67 && (packet.type === RELEASE || packet.type === DECLINE)) {
      const ip = packet.type === RELEASE ? packet.ciaddr : ((packet.options.get(50)?.readUInt32BE(0) ?? 0) as Ipv4);
      const held = this.#byIp.get(ip);
      if (held?.mac === packet.chaddr) this.#byIp.set(ip, { ...held, given: 'back' });
    }
    if (datagram.fromPort !== 67 || packet.type !== ACK || packet.yiaddr === 0) return;
    this.#acked(at, packet.chaddr, packet.yiaddr, packet.options.get(LEASE_TIME)?.readUInt32BE(0) ?? 0);
  }

  #acked(at: number, mac: Mac, ip: Ipv4, seconds: number): void {
    const own = this.#reserved.get(mac);
    if (own !== undefined || this.#reservedIps.has(ip)) {
      if (own !== ip) this.#wrong.push(`RESERVATION ${formatIpv4(ip)} went to ${mac}`);
      return;
    }
    this.#acks++;
    this.#lastPoolAck = at;
    for (const { resolve } of this.#pending.filter(({ after }) => at > after)) resolve(at);
    this.#pending = this.#pending.filter(({ after }) => at <= after);
    const other = this.#byIp.get(ip);
    if (other && other.mac !== mac && other.given === 'held' && other.until > at) {
      const since = new Date(other.at).toISOString();
      this.#wrong.push(
        `DOUBLED ${formatIpv4(ip)} is ${other.mac}'s since ${since} and went to ${mac} at ${new Date(at).toISOString()}`,
      );
    }
    // A machine has one address on this wire: the new one gives the old one back.
    const before = this.#byMac.get(mac);
    const left = before === undefined || before === ip ? undefined : this.#byIp.get(before);
    if (before !== undefined && left?.mac === mac) this.#byIp.set(before, { ...left, given: 'back' });
    this.#byIp.set(ip, { mac, at, until: at + seconds * 1000, given: 'held' });
    this.#byMac.set(mac, ip);
  }

  /** What has been wrong on the wire since the last call. */
  takeWrong(): string[] {
    return this.#wrong.splice(0);
  }

  /** The leases that run by the wire at `now` and that the database does not have; `at`: when they were acknowledged. */
  lost(rows: readonly LeaseRow[], now: number): { readonly at: number; readonly words: string }[] {
    const kept = new Map(rows.map((row) => [row.ip, row]));
    const lost: { at: number; words: string }[] = [];
    for (const [ip, { mac, at, until, given }] of this.#byIp) {
      if (given !== 'held' || until <= now) continue;
      const row = kept.get(ip);
      if (row?.mac === mac && row.state === 'bound') continue;
      const words = `LOST ${formatIpv4(ip)} of ${mac} since ${new Date(at).toISOString()}: ${row ? `${row.state} of ${row.mac}` : 'no row'}`;
      lost.push({ at, words });
    }
    return lost;
  }

  /** Forgets all leases: their records were destroyed by hand. Returns how many they were. */
  void(): number {
    const count = this.held;
    this.#byIp.clear();
    this.#byMac.clear();
    return count;
  }
}

/** The leases in a state folder, while the server runs. Throws where the database cannot be read. */
export function leasesIn(file: string): LeaseRow[] {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
  try {
    return db.prepare('select ip, mac, state from leases').all() as LeaseRow[];
  } finally {
    db.close();
  }
}
