import { once } from 'node:events';
import type { FastifyReply } from 'fastify';
import { type FaultSink, guarded } from '../faults.ts';
import type { Event } from '../model/event.ts';

/** A follower that does not read is cut off at so many bytes that wait for it. */
const MOST_UNREAD = 8 * 1024 * 1024;

/** Events that a client asks for. */
export type EventSource = {
  /** Those that were, oldest first. */
  readonly past: () => Promise<readonly Event[]>;
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
    const newest = events.at(-1)?.at ?? Number.NEGATIVE_INFINITY;
    for (const event of events) write(event);
    for (const event of meanwhile) if (event.at > newest || !events.some((known) => isSame(known, event))) write(event);
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

/** Sends values as they come, a line of JSON each. */
export async function sendLines(
  reply: FastifyReply,
  values: AsyncIterable<unknown>,
  faulted: FaultSink,
): Promise<FastifyReply> {
  begin(reply);
  try {
    for await (const value of values) reply.raw.write(lineOf(value));
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

function lineOf(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** An answer that has begun can only be cut off; before that it is refused as any other is. */
function breakOff(reply: FastifyReply, error: unknown, faulted: FaultSink): void {
  if (!reply.raw.headersSent) throw error;
  reply.raw.destroy();
  faulted(error);
}

/** An event that the store held already, though it also came live. */
function isSame(a: Event, b: Event): boolean {
  return a.at === b.at && JSON.stringify(a) === JSON.stringify(b);
}
