import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import { type FaultSink, guarded } from '../faults.ts';
import type { Event } from '../model/event.ts';
import type { StoredEvent } from '../timeline/eventStore.ts';
import { eventJson } from '../words/event.ts';

/** A follower that does not read is cut off at so many bytes that wait for it. */
const MOST_UNREAD = 8 * 1024 * 1024;

/** Events that a client asks for. */
export type EventSource = {
  /** Those that were, oldest first. */
  readonly past: () => Promise<readonly StoredEvent[]>;
  /** Where it follows: calls `listener` for each event from now on; returns the way to stop. */
  readonly subscribe?: (listener: (event: Event) => void) => () => void;
  readonly isWanted: (event: Event) => boolean;
  /** How many events may come while `past` is read. */
  readonly mostMeanwhile: number;
  readonly faulted: FaultSink;
};

/**
 * Sends the events that were and, to a follower, those that come. Listening begins before the store is asked, so that no event
 * falls between the two.
 */
export async function sendEvents(reply: FastifyReply, from: EventSource): Promise<FastifyReply> {
  const response = reply.raw;
  const write = (event: Event): void => {
    if (!from.isWanted(event)) return;
    response.write(lineOf(event));
    if (response.writableLength > MOST_UNREAD) response.destroy();
  };
  const meanwhile: Event[] = [];
  let live = false;
  const hear = (event: Event): void => {
    if (live) write(event);
    // More than this follower could read.
    else if (meanwhile.push(event) > from.mostMeanwhile) response.destroy();
  };
  const stop = from.subscribe?.(guarded(from.faulted, hear));
  try {
    const events = await from.past();
    begin(reply);
    const known = new Set<number | undefined>(events.map(({ id }) => id));
    for (const { id, event } of events) write({ ...event, id });
    for (const event of meanwhile) if (event.id === undefined || !known.has(event.id)) write(event);
    live = true;
    if (stop === undefined) response.end();
    else if (!response.destroyed) await once(response, 'close');
  } catch (error) {
    breakOff(reply, error, from.faulted);
  } finally {
    stop?.();
  }
  return reply;
}

/** Events that are kept, for a reader who resumes. */
export type KeptEvents = {
  /** Some events after the one of that id, oldest first, what happened until now among them. */
  readonly read: (after: number) => Promise<readonly StoredEvent[]>;
  /** Where it follows: as of `EventSource`. */
  readonly subscribe?: EventSource['subscribe'];
  readonly faulted: FaultSink;
};

/** What happens within this time is read at once. */
const GATHER_MS = 200;
/** Events whose keeping failed at first are found by looking again. */
const LOOK_MS = 5000;

/**
 * Sends the events that were kept after one, each with its id; to a follower all, also those that come, as they are kept. So a
 * reader who was cut off resumes after the last id that it has, misses none and has none twice.
 */
export async function sendEventsAfter(
  reply: FastifyReply,
  after: number,
  { read, subscribe, faulted }: KeptEvents,
): Promise<FastifyReply> {
  const response = reply.raw;
  const signs = new Signs();
  const stop = subscribe?.(() => signs.show());
  response.once('close', () => signs.show());
  let last = after;
  try {
    for (;;) {
      const events = await read(last);
      if (!response.headersSent) begin(reply);
      for (const { id, event } of events) {
        last = id;
        if (response.destroyed) return reply;
        if (!response.write(lineOf({ ...event, id }))) await drained(response);
      }
      if (stop === undefined) break;
      if (events.length > 0) continue;
      await signs.shown(LOOK_MS);
      if (response.destroyed) return reply;
      await delay(GATHER_MS);
    }
    response.end();
  } catch (error) {
    breakOff(reply, error, faulted);
  } finally {
    stop?.();
  }
  return reply;
}

/** Signs that something happened since one looked last. */
class Signs {
  #sign = Promise.withResolvers<void>();

  show(): void {
    this.#sign.resolve();
  }

  /** Resolves once there was a sign since the last call, or after so long. */
  async shown(ms: number): Promise<void> {
    const timer = setTimeout(() => this.show(), ms);
    await this.#sign.promise;
    clearTimeout(timer);
    this.#sign = Promise.withResolvers();
  }
}

function drained(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once('drain', resolve).once('close', resolve);
  return promise.finally(() => response.off('drain', resolve).off('close', resolve));
}

/** Sends values as they come, a line of JSON each. */
export async function sendLines(
  reply: FastifyReply,
  values: AsyncIterable<unknown>,
  faulted: FaultSink,
): Promise<FastifyReply> {
  begin(reply);
  try {
    for await (const value of values) reply.raw.write(`${JSON.stringify(value)}\n`);
    reply.raw.end();
  } catch (error) {
    breakOff(reply, error, faulted);
  }
  return reply;
}

function begin(reply: FastifyReply): void {
  reply.hijack();
  reply.raw.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  reply.raw.flushHeaders();
}

function lineOf(event: Event): string {
  return `${JSON.stringify(eventJson(event))}\n`;
}

/** An answer that has begun can only be cut off; before that it is refused as any other is. */
function breakOff(reply: FastifyReply, error: unknown, faulted: FaultSink): void {
  if (!reply.raw.headersSent) throw error;
  reply.raw.destroy();
  faulted(error);
}
