import { writtenDuration } from '../isc/meaning/durations.ts';
import { leaseSeconds } from './values.ts';

/** A lease time of dnsmasq as a site writes it; `undefined` if it is none. */
export function leaseText(text: string): string | undefined {
  const seconds = leaseSeconds(text);
  return seconds === undefined ? undefined : writtenDuration(seconds);
}
