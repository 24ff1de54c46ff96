import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ReveilleError } from '../errors.ts';
import type { FaultSink } from '../faults.ts';
import type { Event } from '../model/event.ts';
import { isOfKinds } from '../timeline/eventKinds.ts';
import type { EventFilter, StoredEvent } from '../timeline/eventStore.ts';
import { eventJson } from '../words/event.ts';
import { ON_SOCKET } from './caller.ts';
import type { AnswerOf } from './contracts/contract.ts';
import { AUDIT, EVENTS } from './contracts/events.ts';
import { sendEventStream } from './eventStream.ts';
import { sendEvents, sendEventsAfter } from './lines.ts';
import { busy } from './refused.ts';
import { serveJson, serveLines } from './serveRoute.ts';
import { Slots } from './slots.ts';

/** What the operators' API asks of events. */
export type EventsForOperators = {
  /** Calls `listener` for each event from now on; returns the way to stop. */
  readonly subscribe: (listener: (event: Event) => void) => () => void;
  /** The names of the nodes that a set names. Throws NODE_UNKNOWN, NODE_SET_INVALID. */
  readonly nodesNamed: (set: string) => readonly string[];
  /** Events that are kept, oldest first, what happened until now among them; see `EventStore`. */
  readonly keptEvents: (filter: EventFilter) => Promise<readonly StoredEvent[]>;
  readonly faulted: FaultSink;
};

const MOST_EVENTS = 10_000;
const MOST_AUDITED = 1000;
/** Streams at once, in all and for one token. Each has half a megabyte unread at most. */
const MOST_STREAMS = 64;
const MOST_STREAMS_EACH = 16;
/** Events that a stream reads of the store at once. */
const PAGE = 500;

/** What operators ask of events. */
export function addEventRoutes(app: FastifyInstance, from: EventsForOperators): void {
  const { faulted, keptEvents } = from;
  const streams = new Slots<string>(MOST_STREAMS, MOST_STREAMS_EACH);
  serveJson(app, AUDIT, async ({ query: { since, limit = 100 } }) => {
    const when = since === undefined ? {} : { since };
    const found = await keptEvents({ ...when, kinds: ['audit.*'], limit: Math.min(limit, MOST_AUDITED) });
    return found.map(({ id, event }) => eventJson({ ...event, id }) as AnswerOf<typeof AUDIT>[number]);
  });
  serveLines(app, EVENTS, async ({ query }, reply) => {
    const { since, node, kind, limit, follow } = query;
    const nodes = node === undefined ? undefined : from.nodesNamed(node);
    const filter: EventFilter = {
      ...(since === undefined ? {} : { since }),
      ...(nodes === undefined ? {} : { nodes }),
      ...(kind === undefined ? {} : { kinds: kind }),
      limit: Math.min(limit ?? MOST_EVENTS, MOST_EVENTS),
    };
    const names = nodes && new Set(nodes);
    const isWanted = (event: Event): boolean =>
      (names === undefined || (event.node !== undefined && names.has(event.node))) &&
      (kind === undefined || isOfKinds(event.kind, kind));
    if (takesStream(reply.request, limit ?? follow)) {
      const after = query.after ?? lastEventId(reply.request);
      const giveBack = streams.take(reply.request.caller?.name ?? '');
      if (giveBack === undefined) throw busy('too many streams of events are open');
      try {
        return await sendEventStream(reply, {
          ...(after === undefined ? {} : { after }),
          read: (last) => keptEvents({ ...filter, limit: PAGE, after: last }),
          past: async () => (since === undefined && limit === undefined ? [] : keptEvents(filter)),
          subscribe: from.subscribe,
          isWanted,
          faulted,
        });
      } finally {
        giveBack();
      }
    }
    const { after } = query;
    const subscribe = follow ? { subscribe: from.subscribe } : {};
    if (after !== undefined) {
      const read = (last: number) => keptEvents({ ...filter, after: last });
      return sendEventsAfter(reply, after, { read, ...subscribe, faulted });
    }
    return sendEvents(reply, {
      // Without `since` a follower gets only what comes.
      past: async () => (follow && since === undefined ? [] : keptEvents(filter)),
      ...subscribe,
      isWanted,
      mostMeanwhile: MOST_EVENTS,
      faulted,
    });
  });
}

/**
 * Whether a client takes server-sent events. Where it does not say so, over TCP one that asks for all that comes gets them; on the socket lines are
 * the rule.
 */
function takesStream({ headers: { accept = '' }, caller }: FastifyRequest, bounded: unknown): boolean {
  if (accept.includes('text/event-stream')) return true;
  return (
    !accept.includes('application/x-ndjson') &&
    caller !== null &&
    caller.from !== ON_SOCKET.from &&
    bounded === undefined
  );
}

/** The id from which a browser that was cut off resumes. */
function lastEventId({ headers }: FastifyRequest): number | undefined {
  const text = headers['last-event-id'];
  if (text === undefined || text === '') return undefined;
  if (typeof text === 'string' && /^[0-9]{1,16}$/.test(text)) return Number(text);
  throw new ReveilleError('REQUEST_INVALID', 'Last-Event-ID must be the id of an event');
}
