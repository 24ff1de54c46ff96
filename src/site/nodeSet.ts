import { ReveilleError } from '../errors.ts';
import { formatIpv4, type Ipv4 } from '../model/ipv4.ts';
import { type Mac, parseAnyMac } from '../model/mac.ts';
import { readBrackets } from './brackets.ts';
import { didYouMean, quoted } from './finding.ts';

/** What a node can be named by. */
export type Nameable = {
  readonly name: string;
  readonly macs: readonly Mac[];
  readonly ip?: Ipv4;
  readonly profiles: readonly string[];
};

/** How to write one, for help texts. */
export const NODE_SET_HELP = 'node01, node[01-16], node01,node05, node*, @profile, a MAC or an address';

/**
 * The nodes that `text` names, in its order and each once: names, MACs and addresses; ranges `node[01-03,07]`, several in one
 * word too; globs with `*` and `?`; `@compute` for all nodes of a profile; any of them joined by commas. Throws NODE_SET_INVALID
 * for text of another form, NODE_UNKNOWN if no node matches.
 */
export function selectNodes<N extends Nameable>(nodes: Iterable<N>, text: string): readonly [N, ...N[]] {
  const roster = new Roster(nodes);
  const chosen = new Set<N>();
  for (const term of nodeTerms(text)) for (const node of roster.named(term)) chosen.add(node);
  // Each term names one at least, or throws.
  return [...chosen] as unknown as readonly [N, ...N[]];
}

/** Whether `text` is the name of one node by its form, and not a list, range, glob or profile, which may also match only one. */
export function namesOneNode(text: string): boolean {
  return !/[[\]*?@,\s]/.test(text);
}

/** The parts between commas outside brackets. Throws NODE_SET_INVALID if there is none. */
export function nodeTerms(text: string): readonly string[] {
  const terms = text
    .split(/,(?![^[\]]*\])/)
    .map((term) => term.trim())
    .filter((term) => term !== '');
  if (terms.length > 0) return terms;
  throw new ReveilleError('NODE_SET_INVALID', 'no node is named', { hint: `write ${NODE_SET_HELP}` });
}

class Roster<N extends Nameable> {
  readonly #nodes: readonly N[];
  readonly #byWord: ReadonlyMap<string, N>;

  constructor(nodes: Iterable<N>) {
    this.#nodes = [...nodes];
    const words = this.#nodes.flatMap((node) => [
      [node.name, node] as const,
      ...node.macs.map((mac) => [mac, node] as const),
      ...(node.ip === undefined ? [] : [[formatIpv4(node.ip), node] as const]),
    ]);
    this.#byWord = new Map(words);
  }

  named(term: string): readonly N[] {
    if (term.startsWith('@')) return this.#ofProfile(term.slice(1));
    const pattern = readBrackets(term);
    if ('problem' in pattern) {
      throw new ReveilleError('NODE_SET_INVALID', `${quoted(term)} ${pattern.problem}`, {
        hint: `write ${NODE_SET_HELP}`,
      });
    }
    return pattern.words().flatMap((word) => (isGlob(word) ? this.#fitting(word) : [this.#one(word)]));
  }

  #one(word: string): N {
    const node = this.#byWord.get(word) ?? this.#byWord.get(parseAnyMac(word) ?? '');
    if (node !== undefined) return node;
    const near = didYouMean(
      word,
      this.#nodes.map(({ name }) => name),
    );
    const mac = parseAnyMac(word);
    const hint = mac === undefined ? undefined : `\`reveille why ${mac}\` says what is known of that machine.`;
    throw new ReveilleError('NODE_UNKNOWN', `the site has no node ${quoted(word)}`, {
      hint: hint ?? near ?? 'List them with `reveille node list`.',
    });
  }

  #fitting(glob: string): readonly N[] {
    const fits = globTest(glob);
    const found = this.#nodes.filter(({ name }) => fits(name));
    if (found.length > 0) return found;
    throw new ReveilleError('NODE_UNKNOWN', `no node of the site fits ${quoted(glob)}`, {
      hint: 'List them with `reveille node list`.',
    });
  }

  #ofProfile(glob: string): readonly N[] {
    const fits = globTest(glob);
    const found = this.#nodes.filter(({ profiles }) => profiles.some(fits));
    if (found.length > 0) return found;
    const profiles = [...new Set(this.#nodes.flatMap((node) => node.profiles))];
    const hint = didYouMean(glob, profiles) ?? (profiles.length > 0 ? `profiles: ${profiles.join(', ')}` : undefined);
    throw new ReveilleError(
      'NODE_UNKNOWN',
      `no node of the site has the profile ${quoted(glob)}`,
      hint ? { hint } : {},
    );
  }
}

function isGlob(word: string): boolean {
  return /[*?]/.test(word);
}

/** Tests words against a pattern of `*` (any run of characters) and `?` (any one); in time linear for each star. */
function globTest(glob: string): (word: string) => boolean {
  const pieces = glob.replace(/\*+/g, '*').split('*');
  const [head = '', ...rest] = pieces;
  const tail = rest.pop();
  const fitsAt = (word: string, piece: string, at: number): boolean =>
    at >= 0 && at + piece.length <= word.length && [...piece].every((c, i) => c === '?' || c === word[at + i]);
  return (word) => {
    if (tail === undefined) return word.length === head.length && fitsAt(word, head, 0);
    if (!fitsAt(word, head, 0)) return false;
    let at = head.length;
    for (const piece of rest) {
      while (at + piece.length <= word.length && !fitsAt(word, piece, at)) at++;
      if (!fitsAt(word, piece, at)) return false;
      at += piece.length;
    }
    return word.length - tail.length >= at && fitsAt(word, tail, word.length - tail.length);
  };
}
