import { z } from 'zod';
import type { Event } from '../model/event.ts';
import { parseMac } from '../model/mac.ts';
import type { Boot } from './boots.ts';
import type { Stranger } from './strangers.ts';

// What earlier releases stored has fields that this one does not know, and lacks others: what is checked here is what each of them
// wrote and the program relies on.

const TIME = z.number();
const MAC = z.string().refine((text) => parseMac(text) === text);

const EVENT = z.looseObject({
  kind: z.string().regex(/^[a-z]+(?:[.-][a-z]+)+$/),
  at: TIME,
  node: z.string().optional(),
  mac: MAC.optional(),
  ip: z.int().min(0).max(0xffffffff).optional(),
});

const BOOT = z.looseObject({
  startedAt: TIME,
  updatedAt: TIME,
  state: z.enum(['booting', 'ready', 'failed']),
  steps: z.array(z.looseObject({ at: TIME, status: z.enum(['running', 'done', 'failed']) })),
  clockAheadMs: z.number().optional(),
});

const STRANGER = z.looseObject({
  mac: MAC,
  firstSeen: TIME,
  lastSeen: TIME,
  count: z.number(),
  messages: z.record(z.string(), z.number()).optional(),
  triedToBoot: z.boolean(),
  machine: z.looseObject({}),
  classes: z.array(z.string()).optional(),
  boot: BOOT.optional(),
});

/** An event as the state has it, the value of its JSON; `undefined` if it is none. */
export function parseEvent(value: unknown): Event | undefined {
  return EVENT.safeParse(value).success ? (value as Event) : undefined;
}

/** The same for a boot. */
export function parseBoot(value: unknown): Boot | undefined {
  return BOOT.safeParse(value).success ? (value as Boot) : undefined;
}

/** The same for a machine that the site does not list. */
export function parseStranger(value: unknown): Stranger | undefined {
  return STRANGER.safeParse(value).success ? (value as Stranger) : undefined;
}
