import { Blocks, type ChunkPool } from './blocks.ts';
import type { Content } from './content.ts';
import type { Terms } from './negotiate.ts';
import type { Outlet } from './outlet.ts';
import { DATA_HEADER, ERROR, encodeError, encodeOack, type Packet, writeDataHeader } from './packet.ts';
import { type Step, Transfer } from './transfer.ts';

/** How a delivery ended. `ms` counts from the start, `bytes` are those that the client acknowledged or, if sent, all. */
export type Outcome =
  | { readonly kind: 'missing' }
  | { readonly kind: 'sent'; readonly bytes: number; readonly ms: number }
  | { readonly kind: 'probed' }
  | { readonly kind: 'failed'; readonly reason: string; readonly bytes: number };

/** Carries out what a `Transfer` decides: moves blocks from the content to the outlet and keeps the time. */
export class Delivery {
  /** Settles once the delivery has ended and its file is closed. The outlet stays the caller's to close. */
  readonly ended: Promise<Outcome>;
  readonly #resolve: (outcome: Outcome) => void;
  readonly #content: Content;
  readonly #terms: Terms;
  readonly #outlet: Outlet;
  readonly #blocks: Blocks;
  readonly #transfer: Transfer;
  readonly #startedAt = performance.now();
  /** Blocks from `#next` to `#last` are to be sent. */
  #next = 1;
  #last = 0;
  #packet: Buffer;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = 0;
  #heardAt = 0;
  #over = false;

  constructor(content: Content, terms: Terms, outlet: Outlet, pool: ChunkPool) {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.ended = promise;
    this.#resolve = resolve;
    this.#content = content;
    this.#terms = terms;
    this.#outlet = outlet;
    this.#packet = Buffer.allocUnsafeSlow(DATA_HEADER + terms.blockSize);
    this.#blocks = new Blocks(content, terms.blockSize, pool, (error) => {
      if (error === undefined) this.#pump();
      else this.abort(error.message);
    });
    this.#transfer = new Transfer({
      lastBlock: this.#blocks.lastBlock,
      windowSize: terms.windowSize,
      oack: terms.accepted.length > 0,
      ...(terms.timeoutMs === undefined ? {} : { timeoutMs: terms.timeoutMs }),
    });
  }

  start(): void {
    this.#perform(this.#transfer.start(performance.now()));
  }

  /** When the client last answered; `undefined` if it has acknowledged nothing yet. */
  get heardAt(): number | undefined {
    return this.#transfer.heard ? this.#heardAt : undefined;
  }

  /** A packet came from the client. */
  receive(packet: Packet): void {
    if (this.#over) return;
    const now = performance.now();
    this.#heardAt = now;
    if (packet.kind === 'ack') this.#perform(this.#transfer.onAck(packet.block, now));
    else if (packet.kind === 'error') this.#perform(this.#transfer.onError(packet.code, packet.message));
  }

  /** Ends the delivery as failed, and tells the client. */
  abort(reason: string): void {
    if (this.#over) return;
    this.#outlet.send(encodeError(ERROR.UNDEFINED, reason));
    this.fail(reason);
  }

  /** Ends the delivery as failed without a word to the client. */
  fail(reason: string): void {
    const acknowledged = (this.#transfer.base - 1) * this.#terms.blockSize;
    this.#end({ kind: 'failed', reason, bytes: Math.min(acknowledged, this.#content.size) });
  }

  #perform(step: Step): void {
    switch (step.do) {
      case 'send':
        this.#next = step.first;
        this.#last = step.last;
        this.#blocks.release(this.#transfer.base);
        this.#pump();
        break;
      case 'oack':
        this.#outlet.send(encodeOack(this.#terms.accepted));
        break;
      case 'wait':
        break;
      case 'done':
        this.#end({ kind: 'sent', bytes: this.#content.size, ms: this.#elapsed() });
        return;
      case 'probed':
        this.#end({ kind: 'probed' });
        return;
      case 'failed':
        this.fail(step.reason);
        return;
    }
    // The timer is let run out and then set anew: setting it back at every ACK would cost more than the ACK.
    if (this.#timer === undefined || this.#transfer.deadline < this.#timerDue) this.#setTimer();
  }

  /** Sends what is due as far as it has been read; the rest follows when its read is done. */
  #pump(): void {
    const { blockSize } = this.#terms;
    for (; this.#next <= this.#last; this.#next++) {
      const length = this.#blocks.copy(this.#next, this.#packet, DATA_HEADER);
      if (length < 0) return;
      writeDataHeader(this.#packet, this.#next);
      this.#outlet.send(length === blockSize ? this.#packet : this.#packet.subarray(0, DATA_HEADER + length));
      if (!this.#outlet.drained) this.#packet = Buffer.allocUnsafeSlow(DATA_HEADER + blockSize);
    }
  }

  #setTimer(): void {
    clearTimeout(this.#timer);
    this.#timerDue = this.#transfer.deadline;
    const delay = Math.max(0, Math.ceil(this.#timerDue - performance.now()));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#perform(this.#transfer.onTimer(performance.now()));
    }, delay);
  }

  #elapsed(): number {
    return Math.round(performance.now() - this.#startedAt);
  }

  #end(outcome: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#last = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const end = () => this.#resolve(outcome);
    this.#blocks.close().then(end, end);
  }
}
