import type { FaultSink } from '../faults.ts';
import type { Lease } from '../model/lease.ts';
import type { Refusal } from '../model/refusal.ts';
import { refused } from '../words/dhcp.ts';
import type { Admission } from './admission.ts';
import { type LeaseBook, OFFER_MS } from './book.ts';
import { refusedEvent } from './events.ts';
import type { Exchange } from './exchange.ts';
import { encodeWithin } from './packet.ts';
import type { Plan, PlanOf, Reply } from './plan.ts';
import { declined } from './policy.ts';
import type { DhcpPort } from './port.ts';
import type { LeaseRecords } from './records.ts';
import type { Reports } from './reports.ts';
import type { View } from './view.ts';

export type ExecutorOptions = {
  readonly book: LeaseBook;
  readonly admission: Admission;
  readonly records: LeaseRecords;
  readonly reports: Reports;
  /** Answers a request once more: as things are then, and where a machine `answered` for an address. */
  readonly answerAgain: (exchange: Exchange, answered: View['answered']) => Plan;
  readonly faulted: FaultSink;
};

/** Probes that run at once; a client beyond them gets its offer when it asks again. */
const MOST_PROBES = 256;
/** Of these, what machines that the site does not list may have: nodes do not wait behind a flood of them. */
const MOST_STRANGERS_PROBES = 192;
/** How many addresses are tried for one client before it has to ask again. */
const MOST_TRIES = 3;

/** Carries out plans: holds and records addresses, asks whether they are in use, sends replies and reports what was done. */
export class Executor {
  readonly #book: LeaseBook;
  readonly #admission: Admission;
  readonly #records: LeaseRecords;
  readonly #reports: Reports;
  readonly #answerAgain: ExecutorOptions['answerAgain'];
  readonly #faulted: FaultSink;
  /** Clients, each in its network, for whom an address is being tried. */
  readonly #probing = new Set<string>();
  #closed = false;

  constructor({ book, admission, records, reports, answerAgain, faulted }: ExecutorOptions) {
    this.#book = book;
    this.#admission = admission;
    this.#records = records;
    this.#reports = reports;
    this.#answerAgain = answerAgain;
    this.#faulted = faulted;
  }

  /** Carries out what was planned for a request that came through `port`. What has to wait for the disk or a probe is done later. */
  carryOut(plan: Plan, exchange: Exchange, port: DhcpPort): void {
    switch (plan.kind) {
      case 'offer':
        this.#offer(plan, exchange, port);
        break;
      case 'ack':
        this.#acknowledge(plan, port);
        break;
      case 'bootp':
      case 'inform':
        this.#reply(plan, port);
        break;
      case 'nak':
        this.#refuse(plan, port);
        break;
      case 'change':
        this.#change(plan, exchange);
        break;
      case 'other-server':
        for (const { name } of plan.wire) this.#book.withdraw(name, exchange.client.mac);
        this.#reports.report(plan.event);
        break;
      case 'silence':
        this.#reports.report(plan.event);
        break;
    }
  }

  /** Records the end of a lease. `done` is called when that is on disk, else `failed`. */
  end(lease: Lease, done: () => void, failed: (refusal: Refusal) => void): void {
    this.#admission.drop(lease.ip);
    this.#records.save(lease, done, failed);
  }

  /** Nothing is sent any more; what is on its way to disk still gets there. */
  close(): void {
    this.#closed = true;
  }

  #offer(plan: PlanOf<'offer'>, exchange: Exchange, port: DhcpPort): void {
    const { mac } = exchange.client;
    const who = `${plan.network.name} ${mac}`;
    // The client asks again while an address is being tried for it: the answer is on its way.
    if (this.#probing.has(who)) return;
    if (!plan.probe) {
      this.#hold(plan, exchange);
      this.#reply(plan, port);
      return;
    }
    const probes = this.#probing.size;
    if (probes >= (plan.stranger ? MOST_STRANGERS_PROBES : MOST_PROBES)) {
      this.#reports.report(refusedEvent({ mac, via: exchange.via }, { code: 'probes-busy', probes }));
      return;
    }
    this.#probing.add(who);
    this.#tryOut(plan, exchange, port)
      .catch(this.#faulted)
      .finally(() => this.#probing.delete(who));
  }

  #hold({ network, ip, stranger }: PlanOf<'offer'>, { client }: Exchange): void {
    const now = this.#records.now();
    const { until } = this.#book.offer(network.name, client.mac, ip, now);
    if (stranger) this.#admission.take(stranger, ip, until, now);
  }

  /** Offers the first address that no other machine answers for. An address of a pool is held meanwhile, so that no other client is offered it. */
  async #tryOut(first: PlanOf<'offer'>, exchange: Exchange, port: DhcpPort): Promise<void> {
    let plan: Plan = first;
    for (let tries = 0; tries < MOST_TRIES && plan.kind === 'offer'; tries++) {
      if (!plan.heldBy) this.#hold(plan, exchange);
      const isInUse = plan.probe !== undefined && (await port.isInUse(plan.probe));
      if (this.#closed) return;
      if (!isInUse) {
        if (plan.heldBy) this.#hold(plan, exchange);
        this.#reply(plan, port);
        return;
      }
      plan = this.#afterAnswer(plan, exchange);
    }
    if (plan.kind === 'silence') this.#reports.report(plan.event);
  }

  /** What is planned next where a machine answers for the address. */
  #afterAnswer({ ip, network, heldBy }: PlanOf<'offer'>, exchange: Exchange): Plan {
    const { mac } = exchange.client;
    if (!heldBy) this.#save(declined(ip, mac, network.name, this.#records.now()), () => {});
    const refusal: Refusal = heldBy
      ? { code: 'own-address-in-use', ip, holder: heldBy.mac }
      : { code: 'free-address-in-use', ip };
    this.#reports.report({ kind: 'dhcp.refused', mac, network: network.name, ...refused(refusal) });
    return this.#answerAgain(exchange, heldBy ? ip : undefined);
  }

  #acknowledge(plan: PlanOf<'ack'>, port: DhcpPort): void {
    const { lease, needsRecord, stranger } = plan;
    const answer = (): void => {
      if (stranger) this.#admission.hold(stranger.port, lease.ip, lease.expires);
      if (!this.#closed) this.#reply(plan, port);
    };
    const before = this.#book.leaseOf(lease.network, lease.mac);
    if (before && before.ip !== lease.ip) this.#admission.drop(before.ip);
    const now = this.#records.now();
    if (stranger) this.#admission.take(stranger, lease.ip, now + OFFER_MS, now);
    if (needsRecord) this.#save(lease, answer);
    else this.#records.keep(lease, answer);
  }

  #refuse(plan: PlanOf<'nak'>, port: DhcpPort): void {
    if (plan.lease) {
      this.#admission.drop(plan.lease.ip);
      this.#save(plan.lease, () => {});
    }
    this.#reply(plan, port);
  }

  #change({ lease, event }: PlanOf<'change'>, { node, switchPort }: Exchange): void {
    if (lease.state === 'released') this.#admission.drop(lease.ip);
    else if (!node) this.#admission.hold(switchPort, lease.ip, lease.expires);
    this.#save(lease, () => this.#reports.report(event));
  }

  /** The book changes at once, so that the address is taken; what follows waits until the lease is on disk. */
  #save(lease: Lease, then: () => void): void {
    const { mac, ip, network } = lease;
    const failed = (refusal: Refusal): void =>
      this.#reports.report({ kind: 'dhcp.refused', mac, ip, network, ...refused(refusal) });
    this.#records.save(lease, then, failed);
  }

  #reply({ reply, event }: Pick<PlanOf<'nak'>, 'reply' | 'event'>, port: DhcpPort): void {
    this.#send(reply, port);
    this.#reports.report(event);
  }

  #send({ packet, to, bounds, network }: Reply, port: DhcpPort): void {
    const limit = port.room(to, bounds.limit);
    const { bytes, left } = encodeWithin(packet, limit === bounds.limit ? bounds : { ...bounds, limit });
    port.send(to, network.server, bytes);
    for (const option of left) this.#reports.optionLeft(packet.chaddr, network.name, option, limit);
  }
}
