import type { Pool, SiteClass } from './network.ts';
import type { SiteNode } from './node.ts';

/** Who asks, as far as pools are concerned. */
export type Candidate = { readonly node: SiteNode | undefined; readonly classes: readonly SiteClass[] };

/** Whether a client may draw from the pool: one word of `allow` holds of it, and none of `deny`. */
export function isOpen(pool: Pool, who: Candidate): boolean {
  return wordFor(pool.allow, who) !== undefined && wordFor(pool.deny, who) === undefined;
}

/** `isOpen` with its reason, in words for people. */
export function whyOpen(pool: Pool, who: Candidate): { readonly open: boolean; readonly why: string } {
  const denied = wordFor(pool.deny, who);
  if (denied !== undefined) return { open: false, why: `closed to ${inWords(denied)}` };
  const allowed = wordFor(pool.allow, who);
  if (allowed !== undefined) return { open: true, why: `open to ${inWords(allowed)}` };
  return { open: false, why: `open only to ${pool.allow.map(inWords).join(', ') || 'nobody'}` };
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

function inWords(word: string): string {
  if (word === 'any') return 'anybody';
  if (word === 'known') return 'nodes of this site';
  return word === 'unknown' ? 'strangers' : `class ${word}`;
}
