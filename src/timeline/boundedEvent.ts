import type { Event } from '../model/event.ts';

/** Longest text of a field, in UTF-16 code units. */
const MOST_TEXT = 4096;
/** Of what a command printed and of stacks; of the former the end counts. */
const MOST_OUTPUT = 8192;
/** Most entries of a list. */
const MOST_ENTRIES = 100;
const CUT = '[...]';

/**
 * The event with every text and list cut to a length: the same object where nothing is too long. Text of clients and commands has no
 * bound of its own, and each event is kept in several places.
 */
export function boundedEvent(event: Event): Event {
  return fits(event) ? event : (bounded(event, '') as Event);
}

const limitOf = (key: string): number => (key === 'output' || key === 'stack' ? MOST_OUTPUT : MOST_TEXT);

function fits(value: object): boolean {
  // Each event comes through here: a list of its entries would take more time than all else.
  for (const key in value) {
    const field: unknown = value[key as keyof typeof value];
    if (typeof field === 'string' ? field.length > limitOf(key) : typeof field === 'object' && field && !fits(field))
      return false;
  }
  return !Array.isArray(value) || value.length <= MOST_ENTRIES;
}

function bounded(value: unknown, key: string): unknown {
  if (typeof value === 'string') return cut(value, key);
  if (Array.isArray(value)) return value.slice(0, MOST_ENTRIES).map((one) => bounded(one, key));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, bounded(field, name)]));
}

function cut(text: string, key: string): string {
  const most = limitOf(key);
  if (text.length <= most) return text;
  const kept = most - CUT.length;
  // Half of a surrogate pair is no text.
  return (key === 'output' ? CUT + text.slice(-kept) : text.slice(0, kept) + CUT).toWellFormed();
}
