import type { Pool, SiteClass } from './network.ts';
import type { WireNode } from './node.ts';

/** Who asks, as far as pools are concerned. */
export type Candidate = { readonly node: WireNode | undefined; readonly classes: readonly SiteClass[] };

/** Whether a client may draw from a pool, and what decides it: a word of `deny`, a word of `allow`, or that none of `allow` holds of it. */
export type PoolVerdict =
  | { readonly open: false; readonly code: 'denied'; readonly member: string }
  | { readonly open: true; readonly code: 'allowed'; readonly member: string }
  | { readonly open: false; readonly code: 'not-allowed'; readonly members: readonly string[] };

/** Whether a client may draw from the pool: one word of `allow` holds of it, and none of `deny`. */
export function isOpen(pool: Pool, who: Candidate): boolean {
  return wordFor(pool.allow, who) !== undefined && wordFor(pool.deny, who) === undefined;
}

/** `isOpen` with what decides it. */
export function poolVerdict(pool: Pool, who: Candidate): PoolVerdict {
  const denied = wordFor(pool.deny, who);
  if (denied !== undefined) return { open: false, code: 'denied', member: denied };
  const allowed = wordFor(pool.allow, who);
  if (allowed !== undefined) return { open: true, code: 'allowed', member: allowed };
  return { open: false, code: 'not-allowed', members: pool.allow };
}

/** Whether nodes may be let in, by what the pool says of nodes at large; of classes it depends on the node. */
export function mayAdmitNodes({ allow, deny }: Pool): boolean {
  return allow.some((word) => word !== 'unknown') && !deny.includes('known') && !deny.includes('any');
}

/** The first of the words that holds of the client. */
function wordFor(words: readonly string[], { node, classes }: Candidate): string | undefined {
  for (const word of words) {
    if (word === 'any' || word === (node ? 'known' : 'unknown')) return word;
    for (const { name } of classes) if (name === word) return word;
  }
  return undefined;
}
