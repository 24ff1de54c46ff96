import { type FaultSink, guarded } from '../faults.ts';
import { SHORTENED } from '../net/mappedFile.ts';
import { type Blocks, blocksOf, type ChunkPool } from './blocks.ts';
import type { Content } from './content.ts';
import type { Terms } from './negotiate.ts';
import { ERROR, encodeError, encodeOack, type Packet } from './packet.ts';
import { type Step, Transfer } from './transfer.ts';
import type { TransferPort } from './transferPort.ts';

/** How a transfer ended. `ms` counts from the start, `bytes` are those that the client acknowledged or, if sent, all. */
export type TransferResult =
  | { readonly kind: 'sent'; readonly bytes: number; readonly ms: number }
  /** The client only wanted to know the size. */
  | { readonly kind: 'probed' }
  | { readonly kind: 'failed'; readonly reason: string; readonly bytes: number };

export type DeliveryOptions = {
  readonly content: Content;
  readonly terms: Terms;
  readonly port: TransferPort;
  readonly pool: ChunkPool;
  /** Block 1, where the transfer begins with it instead of an OACK. */
  readonly first?: Uint8Array;
  /** The client acknowledges for the first time. False: there is no room for it now, and it is as if its ACK were lost. */
  readonly onHeard: () => boolean;
  readonly faulted: FaultSink;
};

/** What the kernel does not take is tried again after 1 ms, then more and more seldom. */
const LONGEST_PAUSE_MS = 64;

/** Carries out what a `Transfer` decides: moves blocks from the content to the port and keeps the time. */
export class Delivery {
  /** Settles once the delivery has ended and its file is closed. The port stays the caller's to close. */
  readonly ended: Promise<TransferResult>;
  readonly #resolve: (result: TransferResult) => void;
  readonly #options: DeliveryOptions;
  readonly #blocks: Blocks;
  readonly #transfer: Transfer;
  readonly #startedAt = performance.now();
  /** Blocks from `#next` to `#last` are to be sent. */
  #next = 1;
  #last = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = 0;
  #pause: NodeJS.Timeout | undefined;
  #pauseMs = 1;
  #refusedFirst = 0;
  #over = false;

  constructor(options: DeliveryOptions) {
    const { promise, resolve } = Promise.withResolvers<TransferResult>();
    this.ended = promise;
    this.#resolve = resolve;
    this.#options = options;
    const { content, terms, pool, first } = options;
    const onRead = this.#contained((error?: Error) => this.#onRead(error));
    const blocks = { content, blockSize: terms.blockSize, pool, onRead };
    this.#blocks = blocksOf(first === undefined ? blocks : { ...blocks, first });
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

  /** When the client last acknowledged something new; `undefined` if it has acknowledged nothing yet. */
  get heardAt(): number | undefined {
    return this.#transfer.heardAt;
  }

  /** Bytes that the client has acknowledged. */
  get acknowledged(): number {
    return this.#blocks.bytesBefore(this.#transfer.base);
  }

  /** The client sent its request once more. */
  repeat(): void {
    if (!this.#over) this.#perform(this.#transfer.onRepeatedRequest(performance.now()));
  }

  /** A packet came from the client. Never throws. */
  readonly receive: (packet: Packet) => void = this.#contained((packet: Packet) => this.#onPacket(packet));

  #onPacket(packet: Packet): void {
    if (this.#over) return;
    if (packet.kind === 'error') this.#perform(this.#transfer.onError(packet.code, packet.message));
    if (packet.kind !== 'ack') return;
    if (this.#transfer.heardAt === undefined && this.#transfer.acknowledges(packet.block)) {
      if (!this.#options.onHeard()) return;
      this.#blocks.readAhead();
    }
    this.#perform(this.#transfer.onAck(packet.block, performance.now()));
  }

  /** Ends the delivery as failed, with an ERROR to the client. */
  abort(reason: string): void {
    if (this.#over) return;
    this.#options.port.send(encodeError(ERROR.UNDEFINED, reason));
    this.fail(reason);
  }

  /** Ends the delivery as failed, without a packet to the client. */
  fail(reason: string): void {
    this.#end({ kind: 'failed', reason, bytes: this.acknowledged });
  }

  #onRead(error?: Error): void {
    if (error !== undefined) {
      this.abort(error.message);
      return;
    }
    const { lastBlock } = this.#blocks;
    this.#last = Math.min(this.#last, lastBlock);
    this.#perform(this.#transfer.endsAt(lastBlock));
    this.#pump();
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
        this.#options.port.send(encodeOack(this.#options.terms.accepted));
        break;
      case 'wait':
        break;
      case 'done':
        this.#end({ kind: 'sent', bytes: this.#blocks.bytesBefore(this.#blocks.lastBlock + 1), ms: this.#elapsed() });
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

  /** Sends what is due as far as it has been read and the kernel takes it; the rest follows when that has changed. */
  #pump(): void {
    const first = this.#next;
    while (this.#next <= this.#last && this.#blocks.has(this.#next)) this.#next++;
    if (this.#next > first) this.#options.port.sendBlocks(this.#blocks, first, this.#next - 1, this.#refused);
  }

  /** The kernel did not accept the block `first`. */
  readonly #refused = (first: number, why: 'full' | 'shortened'): void => {
    if (this.#over) return;
    if (why === 'shortened') {
      this.abort(SHORTENED);
      return;
    }
    // Others before it were accepted since the last time.
    if (first !== this.#refusedFirst) this.#pauseMs = 1;
    this.#refusedFirst = first;
    this.#next = Math.min(this.#next, first);
    this.#pumpLater();
  };

  /** A full send buffer empties at the speed of the wire. What a client not heard yet misses it asks for again. */
  #pumpLater(): void {
    if (this.#pause !== undefined || this.#transfer.heardAt === undefined) return;
    this.#pause = setTimeout(
      this.#contained(() => {
        this.#pause = undefined;
        this.#pump();
      }),
      this.#pauseMs,
    );
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }

  #setTimer(): void {
    clearTimeout(this.#timer);
    this.#timerDue = this.#transfer.deadline;
    const delay = Math.max(0, Math.ceil(this.#timerDue - performance.now()));
    this.#timer = setTimeout(
      this.#contained(() => {
        this.#timer = undefined;
        this.#perform(this.#transfer.onTimer(performance.now()));
      }),
      delay,
    );
  }

  /** An exception in a callback costs this delivery, and no other. */
  #contained<Args extends unknown[]>(callback: (...args: Args) => void): (...args: Args) => void {
    return guarded((error) => {
      this.#options.faulted(error);
      this.fail('an exception in the server');
    }, callback);
  }

  #elapsed(): number {
    return Math.round(performance.now() - this.#startedAt);
  }

  #end(result: TransferResult): void {
    if (this.#over) return;
    this.#over = true;
    this.#last = 0;
    clearTimeout(this.#timer);
    clearTimeout(this.#pause);
    this.#timer = undefined;
    this.#pause = undefined;
    const end = () => this.#resolve(result);
    this.#blocks.close().then(end, end);
  }
}
