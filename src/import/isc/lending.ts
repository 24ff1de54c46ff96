import { writtenDuration } from './durations.ts';
import type { Part } from './reading.ts';
import type { Setting } from './scopes.ts';
import { numberOf } from './words.ts';

/** dhcpd's own times where nothing is said, in seconds. */
const DEFAULT_LEASE = 43_200;
const LONGEST_LEASE = 86_400;

export type LeaseText = { readonly lease: string; readonly minLease?: string; readonly maxLease?: string };
export type LeaseKey = keyof LeaseText;

/** The lease times of these settings, as they are written: what is lent unasked, and how far a client's wish may go. */
export function leaseOf(settings: ReadonlyMap<string, Setting>): { readonly text: LeaseText; readonly parts: Part[] } {
  const longest = numberOf(settings, 'max-lease-time') ?? LONGEST_LEASE;
  const usual = numberOf(settings, 'default-lease-time') ?? DEFAULT_LEASE;
  const shortest = numberOf(settings, 'min-lease-time');
  const lease = Math.max(1, Math.min(usual, longest));
  const text: LeaseText = {
    lease: writtenDuration(lease),
    ...(shortest === undefined || shortest < 1 ? {} : { minLease: writtenDuration(Math.min(shortest, lease)) }),
    ...(longest > lease ? { maxLease: writtenDuration(longest) } : {}),
  };
  const parts = (
    [
      ['default-lease-time', 'lease'],
      ['max-lease-time', 'maxLease'],
      ['min-lease-time', 'minLease'],
    ] as const
  ).flatMap(([keyword, key]): Part[] => {
    const from = settings.get(keyword);
    // A bound that is not written is the lease itself.
    return from === undefined ? [] : [{ from, key: [key in text ? key : 'lease'] }];
  });
  return { text, parts };
}

/** Whether these settings say anything of lease times. */
export function saysLease(settings: ReadonlyMap<string, Setting>): boolean {
  return ['default-lease-time', 'max-lease-time', 'min-lease-time'].some((key) => settings.has(key));
}
