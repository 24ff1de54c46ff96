import type { Corpus } from './corpus.ts';
import { type Input, PROTOCOLS, type Protocol } from './input.ts';

/** What belongs to no single input counts as the doing of the last so many. */
const LAST_INPUTS = 8;
/** Kinds beyond these are not remembered. */
const MOST_KINDS = 50_000;

/** Knows which kinds of behaviour were seen before, and puts the inputs behind new ones into the corpus. */
export class Novelty {
  readonly #corpora: ReadonlyMap<Protocol, Corpus<Input>>;
  readonly #seen = new Set<string>();
  readonly #last = new Map<Protocol, Input[]>(PROTOCOLS.map((protocol) => [protocol, []]));

  constructor(corpora: ReadonlyMap<Protocol, Corpus<Input>>) {
    this.#corpora = corpora;
  }

  /** How many kinds were seen. */
  get size(): number {
    return this.#seen.size;
  }

  corpusOf(protocol: Protocol): Corpus<Input> {
    const corpus = this.#corpora.get(protocol);
    if (!corpus) throw new Error(`no corpus of ${protocol}`);
    return corpus;
  }

  /** An input is on its way. */
  sent(input: Input): void {
    const last = this.#last.get(input.protocol);
    last?.push(input);
    if (last && last.length > LAST_INPUTS) last.shift();
  }

  /** Something was seen: the doing of `input`, or of the last inputs of a protocol, or of all. */
  heard(protocol: Protocol | undefined, key: string, input?: Input): void {
    if (this.#seen.has(key) || this.#seen.size > MOST_KINDS) return;
    this.#seen.add(key);
    if (input) this.corpusOf(input.protocol).keep([input]);
    else for (const one of protocol ? [protocol] : []) this.corpusOf(one).keep(this.#last.get(one) ?? []);
  }
}
