import { type ErrorCode, type Place, ReveilleError } from '../errors.ts';
import type { Happening } from '../model/event.ts';
import type { Gauges } from '../model/gauges.ts';

/** What a service and its thread say to each other: each by a discriminated union. `asks`: questions by name, with their answers. */
export type Shape = {
  readonly start: unknown;
  readonly toThread: unknown;
  readonly fromThread: unknown;
  readonly asks: Readonly<Record<string, { readonly question: unknown; readonly answer: unknown }>>;
};

export type ToThread<S extends Shape> =
  | { readonly kind: 'message'; readonly message: S['toThread'] }
  | { readonly kind: 'ask'; readonly id: number; readonly name: keyof S['asks']; readonly question: unknown }
  | { readonly kind: 'close' };

export type FromThread<S extends Shape> =
  | { readonly kind: 'started' }
  | { readonly kind: 'refused'; readonly error: PackedError }
  | { readonly kind: 'message'; readonly message: S['fromThread'] }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'refusal'; readonly id: number; readonly error: PackedError }
  | { readonly kind: 'events'; readonly events: PackedEvents }
  | { readonly kind: 'gauges'; readonly gauges: Gauges }
  | { readonly kind: 'fault'; readonly error: PackedError }
  /** An exception reached the event loop of the thread: the service has to be started anew. */
  | { readonly kind: 'broken'; readonly error: PackedError }
  | { readonly kind: 'closed' };

declare const PACKED: unique symbol;
/** Events as JSON text: to write and read that takes half the time of a structured clone. */
export type PackedEvents = string & { readonly [PACKED]: readonly Seen[] };

export function packEvents(events: readonly Seen[]): PackedEvents {
  return JSON.stringify(events) as PackedEvents;
}

export function unpackEvents(packed: PackedEvents): readonly Seen[] {
  return JSON.parse(packed) as readonly Seen[];
}

/** What was seen, and when: milliseconds since the epoch. */
export type Seen = { readonly happening: Happening; readonly at: number };

/** What a thread is started with. `taken`: how many events the other side has taken in, in a memory that both share. */
export type ThreadData<S extends Shape> = { readonly start: S['start']; readonly taken: SharedArrayBuffer };

/** An error on its way to another thread: structured clones of errors lose their codes. */
export type PackedError = {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly code?: string;
  readonly hint?: string;
  readonly place?: Place;
};

export function packError(error: unknown): PackedError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, stack } = error;
  const { code } = error as { code?: unknown };
  const { hint, place } = error instanceof ReveilleError ? error : {};
  return {
    name,
    message,
    ...(stack === undefined ? {} : { stack }),
    ...(typeof code === 'string' ? { code } : {}),
    ...(hint === undefined ? {} : { hint }),
    ...(place === undefined ? {} : { place }),
  };
}

/** The error anew: a ReveilleError where it was one, with the stack of the thread that it comes from. */
export function unpackError({ name, message, stack, code, hint, place }: PackedError): Error {
  const error =
    name === 'ReveilleError'
      ? new ReveilleError(code as ErrorCode, message, {
          ...(hint === undefined ? {} : { hint }),
          ...(place === undefined ? {} : { place }),
        })
      : Object.assign(new Error(message), code === undefined ? {} : { code });
  if (stack !== undefined) error.stack = stack;
  return error;
}
