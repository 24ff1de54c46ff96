/** What is to be done next for a transfer. Blocks count from 1 and do not wrap; the packet carries them modulo 65536. */
export type Step =
  | { readonly do: 'wait' }
  | { readonly do: 'oack' }
  | { readonly do: 'send'; readonly first: number; readonly last: number }
  /** All was sent; `confirmed` is false where the final ACK never came. */
  | { readonly do: 'done'; readonly confirmed: boolean }
  /** The client only wanted to know the size (tsize) and broke off: no failure. */
  | { readonly do: 'probed' }
  | { readonly do: 'failed'; readonly reason: string };

export type TransferTerms = {
  /** The block that ends the file: shorter than the others, maybe empty. Infinity until `endsAt` is called, where reading finds the end. */
  readonly lastBlock: number;
  readonly windowSize: number;
  /** Whether an OACK opens the transfer and its ACK 0 is awaited. */
  readonly oack: boolean;
  /** The client's own timeout (RFC 2349); otherwise one second, less once round trips have been measured. */
  readonly timeoutMs?: number;
};

const WAIT: Step = { do: 'wait' };
const DEFAULT_TIMEOUT_MS = 1000;
/** No first retransmission sooner than this, however near the client is: it may be busy writing to flash. */
const LEAST_TIMEOUT_MS = 200;
const LONGEST_TIMEOUT_MS = 8000;
/** Round trips to wait for an ACK before the first retransmission. */
const PATIENCE = 8;
const MOST_RETRIES = 5;
/**
 * A client that has acknowledged nothing may not exist. It gets one packet and this time, whatever timeout it asked for; it
 * gets that packet again only when it asks again.
 */
const UNHEARD_MS = 10_000;
/** A request that comes again sooner than this was doubled by the network, and some clients fail at a second OACK. */
const SOONEST_REPEAT_MS = 200;
/** A client may ask for a timeout of 255 s (RFC 2349); retransmissions are not put off for longer than this. */
const MOST_TIMEOUT_MS = 20_000;
/** The longest silence of a client that was heard. */
const MOST_SILENCE_MS = 60_000;
/** Clients often leave after the last block without an ACK. */
const MOST_FINAL_RETRIES = 3;

/**
 * One file on its way to one client (RFC 1350 with RFC 7440 windows): acknowledgements, errors and the time go in, what
 * to do comes out. Opens no socket and reads no clock; all times are milliseconds of one monotonic clock.
 */
export class Transfer {
  readonly #terms: TransferTerms;
  /** Highest block acknowledged in order; -1 until the OACK is. */
  #acked: number;
  /** Highest block ordered to be sent. */
  #sent = 0;
  #lastBlock: number;
  #heardAt: number | undefined;
  #retries = 0;
  /** Whether the blocks after `#acked` were sent more than once: further ACKs of it then ask for nothing. */
  #wentBack = false;
  #sentAt = 0;
  #roundTripMs: number | undefined;
  #deadline = 0;

  constructor(terms: TransferTerms) {
    this.#terms = terms;
    this.#lastBlock = terms.lastBlock;
    this.#acked = terms.oack ? -1 : 0;
  }

  /** When `onTimer` is due. */
  get deadline(): number {
    return this.#deadline;
  }

  /** The lowest block that may still have to be sent. */
  get base(): number {
    return Math.max(1, this.#acked + 1);
  }

  /** When the client last acknowledged something new; `undefined` if it has acknowledged nothing yet. */
  get heardAt(): number | undefined {
    return this.#heardAt;
  }

  /** The first packet. It is one alone, since a window is agreed on by an OACK: nothing shows yet that the client exists. */
  start(now: number): Step {
    this.#sentAt = now;
    this.#deadline = now + UNHEARD_MS;
    if (this.#acked < 0) return { do: 'oack' };
    this.#sent = Math.min(this.#terms.windowSize, this.#lastBlock);
    return { do: 'send', first: 1, last: this.#sent };
  }

  /** The client sent its request once more: it gets the first packet again, unless it has acknowledged that one. */
  onRepeatedRequest(now: number): Step {
    if (this.#heardAt !== undefined || now - this.#sentAt < SOONEST_REPEAT_MS) return WAIT;
    this.#wentBack = true;
    this.#sentAt = now;
    return this.#acked < 0 ? { do: 'oack' } : { do: 'send', first: 1, last: this.#sent };
  }

  /** Whether an ACK of this 16-bit block number would acknowledge something new. */
  acknowledges(wire: number): boolean {
    if (this.#acked < 0) return wire === 0;
    const ahead = (wire - this.#acked) & 0xffff;
    return ahead > 0 && this.#acked + ahead <= this.#sent;
  }

  /** The end of the content has been read: `lastBlock` ends the file. */
  endsAt(lastBlock: number): Step {
    this.#lastBlock = lastBlock;
    this.#sent = Math.min(this.#sent, lastBlock);
    return this.#acked >= lastBlock ? { do: 'done', confirmed: true } : WAIT;
  }

  /** An ACK came; `wire` is its 16-bit block number. */
  onAck(wire: number, now: number): Step {
    if (this.#acked < 0) {
      if (wire !== 0) return WAIT;
      this.#progress(0, now);
      return this.#sendWindow(now);
    }
    const block = this.#acked + ((wire - this.#acked) & 0xffff);
    if (block > this.#sent) return WAIT;
    if (block === this.#acked) return this.#onRepeatedAck(now);
    this.#progress(block, now);
    if (block === this.#lastBlock) return { do: 'done', confirmed: true };
    // An ACK short of the window's end: the client misses the block after it (RFC 7440 section 4).
    const gap = block < this.#sent;
    const step = this.#sendWindow(now);
    this.#wentBack = gap;
    return step;
  }

  /** An ERROR came from the client. */
  onError(code: number, message: string): Step {
    const declined = this.#terms.oack && this.#acked <= 0 && (code === 0 || code === 8);
    if (declined) return { do: 'probed' };
    return { do: 'failed', reason: `the client broke off with error ${code}${message === '' ? '' : `: ${message}`}` };
  }

  /** To be called at `deadline` or later; earlier calls do nothing. */
  onTimer(now: number): Step {
    if (now < this.#deadline) return WAIT;
    const finishing = this.#heardAt !== undefined && this.#sent === this.#lastBlock;
    if (this.#hasGivenUp(now, finishing ? MOST_FINAL_RETRIES : MOST_RETRIES)) {
      if (finishing) return { do: 'done', confirmed: false };
      const awaited = this.#acked < 0 ? 'the option acknowledgement' : `block ${this.#sent}`;
      return { do: 'failed', reason: `the client never acknowledged ${awaited}` };
    }
    this.#retries++;
    return this.#resend(now);
  }

  #hasGivenUp(now: number, retries: number): boolean {
    if (this.#heardAt === undefined || this.#retries >= retries) return true;
    return now - this.#heardAt >= MOST_SILENCE_MS;
  }

  /**
   * In lockstep a second ACK of the same block is an echo, and answering it would double every packet from then on (the
   * sorcerer's apprentice). In a window it also means that the window's first block was lost: it is acted on once.
   */
  #onRepeatedAck(now: number): Step {
    if (this.#terms.windowSize === 1 || this.#wentBack || this.#sent === this.#acked) return WAIT;
    return this.#resend(now);
  }

  #progress(block: number, now: number): void {
    // Karn: after a retransmission it is unknown which of the packets this answers.
    if (this.#retries === 0 && !this.#wentBack) {
      const took = now - this.#sentAt;
      this.#roundTripMs = Math.max(took, 0.875 * (this.#roundTripMs ?? took) + 0.125 * took);
    }
    this.#acked = block;
    this.#heardAt = now;
    this.#retries = 0;
    this.#wentBack = false;
  }

  #sendWindow(now: number): Step {
    this.#sentAt = now;
    this.#sent = Math.min(this.#acked + this.#terms.windowSize, this.#lastBlock);
    this.#arm(now);
    return { do: 'send', first: this.#acked + 1, last: this.#sent };
  }

  #resend(now: number): Step {
    this.#wentBack = true;
    this.#arm(now);
    return this.#acked < 0 ? { do: 'oack' } : { do: 'send', first: this.#acked + 1, last: this.#sent };
  }

  #arm(now: number): void {
    const silenceEnds = (this.#heardAt ?? now) + MOST_SILENCE_MS;
    this.#deadline = Math.min(now + this.#timeout(), silenceEnds);
  }

  #timeout(): number {
    const { timeoutMs } = this.#terms;
    const regular = Math.min(timeoutMs ?? DEFAULT_TIMEOUT_MS, MOST_TIMEOUT_MS);
    if (this.#retries > 0) {
      const backedOff = regular * 2 ** (this.#retries - 1);
      return Math.min(backedOff, Math.max(regular, LONGEST_TIMEOUT_MS));
    }
    if (timeoutMs !== undefined || this.#roundTripMs === undefined) return regular;
    return Math.min(regular, Math.max(LEAST_TIMEOUT_MS, PATIENCE * this.#roundTripMs));
  }
}
