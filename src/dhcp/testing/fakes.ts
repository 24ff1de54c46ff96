import assert from 'node:assert/strict';
import type { Happening } from '../../model/event.ts';
import { type Ipv4, UNSPECIFIED } from '../../model/ipv4.ts';
import type { Lease } from '../../model/lease.ts';
import type { ProbeQuestion } from '../../net/probe.ts';
import { CLIENT_PORT, type Destination } from '../destination.ts';
import type { Sender } from '../exchange.ts';
import type { LeaseStore } from '../leaseStore.ts';
import { type DhcpPacket, decodePacket, encodePacket } from '../packet.ts';
import type { DhcpPort, PortListener } from '../port.ts';
import { type DhcpOptions, type DhcpServer, startDhcpServer } from '../server.ts';

/** DHCP without sockets and without a disk. */

export type Sent = { readonly packet: DhcpPacket; readonly to: Destination; readonly from: Ipv4 };

/** A port that keeps what is sent, and answers probes as it is set. */
export class FakePort implements DhcpPort {
  readonly name: string;
  readonly sent: Sent[] = [];
  readonly probed: ProbeQuestion[] = [];
  /** Addresses that a machine answers for. */
  readonly inUse = new Set<Ipv4>();
  /** While it is set, probes wait. */
  holdProbes = false;
  /** The most bytes that the interface takes. */
  most = Number.POSITIVE_INFINITY;
  isCurrent = true;
  isClosed = false;
  readonly #listener: PortListener;
  #waiting: (() => void)[] = [];

  constructor(name: string, listener: PortListener) {
    this.name = name;
    this.#listener = listener;
  }

  /** A request arrives. */
  receive(request: DhcpPacket, sender: Sender = { ip: request.ciaddr, port: CLIENT_PORT }): void {
    this.receiveBytes(encodePacket(request), sender);
  }

  receiveBytes(bytes: Buffer, sender: Sender = { ip: UNSPECIFIED, port: CLIENT_PORT }): void {
    try {
      this.#listener.received(this, bytes, sender);
    } catch (error) {
      this.#listener.faulted(error);
    }
  }

  /** The replies since this was last asked. */
  takeSent(): readonly Sent[] {
    return this.sent.splice(0);
  }

  room(_: Destination, wanted: number): number {
    return Math.min(wanted, this.most);
  }

  send(to: Destination, from: Ipv4, bytes: Uint8Array): void {
    const decoded = decodePacket(Buffer.from(bytes));
    assert.ok(decoded.ok);
    this.sent.push({ packet: decoded.packet, to, from });
  }

  /** Reports that a reply was dropped. */
  drop(to: Destination, code: string): void {
    this.#listener.unsent(to, code);
  }

  /** Reports that a request was dropped. */
  overflow(): void {
    this.#listener.dropped();
  }

  async isInUse(question: ProbeQuestion): Promise<boolean> {
    this.probed.push(question);
    if (this.holdProbes) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.inUse.has(question.ip);
  }

  /** Ends the probes that wait. */
  endProbes(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  probeBy(): void {}

  stopReceiving(): void {}

  close(): void {
    this.isClosed = true;
  }
}

/** A store in memory whose commits wait, fail or succeed as it is set. */
export class FakeStore implements LeaseStore {
  readonly committed: Lease[] = [];
  state: 'ok' | 'full' | 'hangs' = 'ok';
  readonly #loaded: readonly Lease[];
  #waiting: (() => void)[] = [];

  constructor(loaded: readonly Lease[] = []) {
    this.#loaded = loaded;
  }

  async load(): Promise<readonly Lease[]> {
    return this.#loaded;
  }

  async commit(leases: readonly Lease[]): Promise<readonly Lease[]> {
    if (this.state === 'hangs') await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.state === 'full') throw new Error('the disk is full');
    this.committed.push(...leases);
    return [];
  }

  /** From now on commits succeed, and those that wait. */
  wake(): void {
    this.state = 'ok';
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

export type FakeServer = {
  readonly server: DhcpServer;
  readonly ports: ReadonlyMap<string, FakePort>;
  readonly events: Happening[];
  readonly faults: unknown[];
};

/** A server on fake ports. */
export async function serveFakes(
  options: Pick<DhcpOptions, 'site' | 'store'> & Partial<DhcpOptions>,
): Promise<FakeServer> {
  const ports = new Map<string, FakePort>();
  const events: Happening[] = [];
  const faults: unknown[] = [];
  const server = await startDhcpServer({
    boot: () => ({ kind: 'none', reason: { code: 'not-listed' } }),
    events: (happening) => events.push(happening),
    faulted: (error) => faults.push(error),
    openPort: (name, _, listener) => {
      const port = new FakePort(name, listener);
      ports.set(name, port);
      return port;
    },
    ...options,
  });
  return { server, ports, events, faults };
}
