import { z } from 'zod';
import type { Event } from '../../model/event.ts';
import type { Contract } from './contract.ts';
import { eventKinds, flag, nodeSet, wholeNumber } from './forms.ts';

/** What all events have; what each kind has besides is in `model/event.ts`. */
const common = z.object({
  at: z.number(),
  kind: z.string(),
  mac: z.string().exactOptional(),
  node: z.string().exactOptional(),
  ip: z.number().exactOptional(),
  id: z.int().exactOptional().describe('Counts up in the order of events, whether an event is kept or not.'),
});

const event = z
  .custom<Event>((value) => common.safeParse(value).success)
  .meta({
    id: 'Event',
    description: 'Something that happened. Each kind has fields of its own.',
    ...z.toJSONSchema(common, { io: 'input' }),
  });

export const EVENTS = {
  method: 'GET',
  path: '/api/v1/events',
  operation: 'readEvents',
  role: 'viewer',
  summary: 'Events that were, oldest first, and with `follow` those that come.',
  query: z.strictObject({
    since: wholeNumber
      .exactOptional()
      .describe(
        'Only events at or after this time, in milliseconds since the epoch. A follower without it gets only what comes.',
      ),
    after: wholeNumber
      .exactOptional()
      .describe(
        'Only events that are kept and have a greater `id`, the oldest first; 0: from the beginning. To resume: the last id that came.',
      ),
    kind: eventKinds
      .exactOptional()
      .describe('Only events of these kinds, with commas between; `audit.*`: all that begin so.'),
    node: nodeSet.exactOptional().describe('Only events of these nodes.'),
    limit: wholeNumber.exactOptional().describe('The newest so many (after `after`: the oldest); 10,000 at most.'),
    follow: flag.exactOptional().describe('Goes on with what comes, until the client leaves.'),
  }),
  form: 'lines',
  streams: true,
  answer: event,
  refusals: ['NODE_UNKNOWN', 'NODE_SET_INVALID', 'STATE_UNAVAILABLE'],
} as const satisfies Contract;

export const AUDIT = {
  method: 'GET',
  path: '/api/v1/audit',
  operation: 'readAudit',
  role: 'viewer',
  summary: 'Who asked for which change, and who was refused: the newest of these events, oldest first.',
  query: z.strictObject({
    since: wholeNumber.exactOptional().describe('Only those at or after this time, in milliseconds since the epoch.'),
    limit: wholeNumber.exactOptional().describe('The newest so many (100); 1,000 at most.'),
  }),
  form: 'json',
  answer: z.array(event),
  refusals: ['STATE_UNAVAILABLE'],
} as const satisfies Contract;
