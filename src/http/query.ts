import { ReveilleError } from '../errors.ts';

/** Whether a flag of a query is there and not `0` or `false`. */
export function isSet(value: unknown): boolean {
  return value !== undefined && value !== '0' && value !== 'false';
}

/** The number in a query's `name`. Throws REQUEST_INVALID. */
export function wholeNumber(name: string, text: unknown): number {
  if (typeof text !== 'string' || !/^[0-9]{1,15}$/.test(text))
    throw new ReveilleError('REQUEST_INVALID', `?${name}= must be a whole number`);
  return Number(text);
}
