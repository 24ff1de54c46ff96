import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import { type FaultSink, guarded } from '../faults.ts';
import type { Event } from '../model/event.ts';
import type { StoredEvent } from '../timeline/eventStore.ts';
import { eventJson } from '../words/event.ts';

/** What a stream of events is made of. */
export type StreamFrom = {
  /**
   * The events that come first are those kept after the one of this id, oldest first; absent: those of `past`. `read` gives some of them, what
   * happened until now among them, and none where there are no more.
   */
  readonly after?: number;
  readonly read: (after: number) => Promise<readonly StoredEvent[]>;
  /** Those that come first where the stream does not resume. */
  readonly past: () => Promise<readonly StoredEvent[]>;
  /** Calls `listener` for each event from now on; returns the way to stop. */
  readonly subscribe: (listener: (event: Event) => void) => () => void;
  readonly isWanted: (event: Event) => boolean;
  readonly faulted: FaultSink;
};

/** A reader that has so much unread gets no more until it has read that: then it is told that it missed some. */
const MOST_UNREAD = 512 * 1024;
/** Events that may come while earlier ones are read; of more, the reader is told that it missed some. */
const MOST_MEANWHILE = 2000;
const KEEP_ALIVE_MS = 15_000;
/** A reader that takes nothing at all for so long is cut off. */
const STUCK_MS = 60_000;
/** After so long a browser that was cut off comes again, milliseconds. */
const RETRY_MS = 2000;

/**
 * Sends events as server-sent events (HTML, section 9.2): first those that were, then those that come, each with its id. A reader that was cut off
 * resumes with the last id that it has (`Last-Event-ID`), and then gets each event that is kept once. What a slow reader does not take is dropped,
 * and `event: reset` says so: it takes a new snapshot (`GET /api/v1/status`) and goes on with what comes after it.
 */
export async function sendEventStream(reply: FastifyReply, from: StreamFrom): Promise<FastifyReply> {
  // Listening begins before the store is asked, so that no event falls between the two.
  using stream = new EventStream(reply.raw, from);
  const first = from.after === undefined ? await from.past() : await from.read(from.after);
  reply.hijack();
  try {
    await stream.run(first);
  } catch (error) {
    reply.raw.destroy();
    from.faulted(error);
  }
  return reply;
}

class EventStream implements Disposable {
  readonly #response: ServerResponse;
  readonly #from: StreamFrom;
  /** Events that came while earlier ones are sent; `undefined` once those are out. */
  #meanwhile: Event[] | undefined = [];
  #missed = false;
  #last: number;
  readonly #stop: () => void;
  #movedAt = performance.now();

  constructor(response: ServerResponse, from: StreamFrom) {
    this.#response = response;
    this.#from = from;
    this.#last = from.after ?? Number.NEGATIVE_INFINITY;
    this.#stop = from.subscribe(guarded(from.faulted, (event) => this.#hear(event)));
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  /** Resolves when the reader has left. */
  async run(first: readonly StoredEvent[]): Promise<void> {
    const { faulted } = this.#from;
    const response = this.#response;
    const gone = new Promise<void>((resolve) => response.once('close', resolve));
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.write(`retry: ${RETRY_MS}\n\n`);
    response.on(
      'drain',
      guarded(faulted, () => this.#drained()),
    );
    const timer = setInterval(
      guarded(faulted, () => this.#keepAlive()),
      KEEP_ALIVE_MS,
    ).unref();
    try {
      await this.#sendPast(first);
      this.#goLive();
      await gone;
    } finally {
      clearInterval(timer);
    }
  }

  async #sendPast(first: readonly StoredEvent[]): Promise<void> {
    for (let events = first; events.length > 0; ) {
      for (const { id, event } of events) {
        if (this.#response.destroyed) return;
        this.#last = Math.max(this.#last, id);
        if (!this.#response.write(frameOf({ ...event, id }))) await this.#room();
      }
      // Since listening began nothing is missed; what came before it is read until there is no more.
      events = await this.#from.read(this.#last);
    }
  }

  /** Sends what came meanwhile and was not among what is kept. */
  #goLive(): void {
    const meanwhile = this.#meanwhile ?? [];
    this.#meanwhile = undefined;
    if (this.#missed) this.#reset();
    for (const event of meanwhile) this.#hear(event);
  }

  #hear(event: Event): void {
    if (!this.#from.isWanted(event)) return;
    if (this.#meanwhile !== undefined) {
      if (this.#meanwhile.length < MOST_MEANWHILE) this.#meanwhile.push(event);
      else {
        this.#meanwhile = [];
        this.#missed = true;
      }
      return;
    }
    if (event.id !== undefined && event.id <= this.#last) return;
    if (this.#response.writableLength > MOST_UNREAD) this.#missed = true;
    // A reader that missed some is told so before it gets more.
    if (this.#missed) return;
    if (event.id !== undefined) this.#last = event.id;
    this.#response.write(frameOf(event));
  }

  #drained(): void {
    this.#movedAt = performance.now();
    if (this.#missed && this.#meanwhile === undefined) this.#reset();
  }

  #reset(): void {
    this.#missed = false;
    this.#response.write(`event: reset\ndata: {"reason":"events were dropped: this reader was too slow"}\n\n`);
  }

  #keepAlive(): void {
    if (this.#response.writableLength === 0) {
      this.#movedAt = performance.now();
      this.#response.write(': still here\n\n');
    } else if (performance.now() - this.#movedAt > STUCK_MS) this.#response.destroy();
  }

  #room(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#response.once('drain', resolve).once('close', resolve);
    return promise.finally(() => this.#response.off('drain', resolve).off('close', resolve));
  }
}

function frameOf(event: Event): string {
  const id = event.id === undefined ? '' : `id: ${event.id}\n`;
  return `${id}data: ${JSON.stringify(eventJson(event))}\n\n`;
}
