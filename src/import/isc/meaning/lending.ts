import { writtenDuration } from './durations.ts';
import type { WrittenPart } from './reading.ts';
import type { Setting } from './scopes.ts';
import { numberOf } from './words.ts';

/** dhcpd's own times where nothing is said, in seconds. */
const DEFAULT_LEASE = 43_200;
const LONGEST_LEASE = 86_400;
const SHORTEST_LEASE = 300;

export type LeaseText = { readonly lease: string; readonly minLease?: string; readonly maxLease?: string };

/** The lease times of these settings, as they are written: what is lent unasked, and how far a client's wish may go. */
export function leaseOf(settings: ReadonlyMap<string, Setting>): {
  readonly text: LeaseText;
  readonly parts: WrittenPart[];
} {
  const longest = numberOf(settings, 'max-lease-time') ?? LONGEST_LEASE;
  const usual = numberOf(settings, 'default-lease-time') ?? DEFAULT_LEASE;
  const shortest = numberOf(settings, 'min-lease-time');
  // Without `min-lease-time` no lease is shorter, unless `max-lease-time` is less.
  const lease = Math.max(1, Math.min(Math.max(usual, shortest ?? SHORTEST_LEASE), longest));
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
  ).flatMap(([keyword, key]): WrittenPart[] => {
    const from = settings.get(keyword);
    // A bound that is not written is the lease itself.
    return from === undefined ? [] : [{ from, key: [key in text ? key : 'lease'] }];
  });
  return { text, parts };
}

/**
 * The lease times of a class. Where it says bounds alone, it leaves what is lent unasked to its clients' pools and networks.
 */
export function lendingOf(
  own: ReadonlyMap<string, Setting>,
  around: ReadonlyMap<string, Setting>,
): { readonly text: Partial<LeaseText>; readonly parts: readonly WrittenPart[] } {
  if (!saysLease(own)) return { text: {}, parts: [] };
  if (own.has('default-lease-time')) return leaseOf(new Map([...around, ...own]));
  const [least, most] = [numberOf(own, 'min-lease-time'), numberOf(own, 'max-lease-time')];
  const bounds = [
    {
      from: own.get('min-lease-time'),
      key: 'minLease',
      seconds: Math.min(least ?? 0, most ?? Number.POSITIVE_INFINITY),
    },
    { from: own.get('max-lease-time'), key: 'maxLease', seconds: most ?? 0 },
  ].filter(({ seconds }) => seconds >= 1);
  return {
    text: Object.fromEntries(bounds.map(({ key, seconds }) => [key, writtenDuration(seconds)])),
    parts: bounds.flatMap(({ from, key }) => (from === undefined ? [] : [{ from, key: [key] }])),
  };
}

/** Whether these settings say anything of lease times. */
export function saysLease(settings: ReadonlyMap<string, Setting>): boolean {
  return ['default-lease-time', 'max-lease-time', 'min-lease-time'].some((key) => settings.has(key));
}
