import { readFileSync } from 'node:fs';

/** How many descriptors each service may hold at once. */
export type DescriptorShares = { readonly http: number; readonly tftp: number };

/** Reserved for the database, the log's sockets, the interfaces' sockets, the followed site and child processes. */
const KEPT = 160;
const LEAST = 16;

/** How many descriptors this process may have open: the soft limit of `ulimit -n`. */
export function descriptorLimit(): number {
  const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

/** Shares `limit` among the services whose clients take descriptors, so that together they never use all of it. */
export function shareDescriptors(limit: number): DescriptorShares {
  const free = Math.max(0, limit - KEPT);
  return { http: Math.max(LEAST, Math.floor(free * 0.6)), tftp: Math.max(LEAST, Math.floor(free * 0.35)) };
}
