import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../rig/random.ts';
import type { Input } from './input.ts';

const MOST = 3000;
/** Larger inputs are not kept, in characters of JSON. */
const LONGEST = 100_000;
/** The newest so many are picked as often as all others together: what was just found leads on. */
const NEWEST = 40;

/** The inputs of one protocol that made something new happen, in a folder: a file of JSON each, named by its content. */
export class Corpus<I extends Input> {
  readonly #folder: string | undefined;
  readonly #inputs: I[];
  readonly #names: Set<string>;
  readonly #seeds: number;

  /** Without a folder nothing is read or kept: the seeds are all there is. */
  constructor(seeds: readonly I[], folder?: string) {
    this.#folder = folder;
    this.#inputs = [...seeds];
    this.#seeds = seeds.length;
    this.#names = new Set(seeds.map(nameOf));
    if (folder === undefined) return;
    mkdirSync(folder, { recursive: true });
    for (const file of readdirSync(folder).sort()) {
      if (!file.endsWith('.json')) continue;
      const input = JSON.parse(readFileSync(join(folder, file), 'utf8')) as I;
      this.#names.add(nameOf(input));
      this.#inputs.push(input);
    }
  }

  get size(): number {
    return this.#inputs.length;
  }

  /** Puts inputs into the corpus; those that are there already are passed over. Over 3,000 the oldest that are no seeds go. */
  keep(inputs: readonly I[]): void {
    for (const input of inputs) {
      const text = JSON.stringify(input);
      const name = nameOf(input);
      if (text.length > LONGEST) continue;
      if (this.#folder === undefined || this.#names.has(name)) continue;
      this.#names.add(name);
      this.#inputs.push(input);
      writeFileSync(join(this.#folder, `${name}.json`), `${text}\n`);
      if (this.#inputs.length <= MOST) continue;
      const [gone] = this.#inputs.splice(this.#seeds, 1);
      if (gone) rmSync(join(this.#folder, `${nameOf(gone)}.json`), { force: true });
    }
  }

  pick(random: Random): I {
    return random.pick(random.chance(0.5) ? this.#inputs : this.#inputs.slice(-NEWEST));
  }
}

function nameOf(input: Input): string {
  return createHash('sha256').update(JSON.stringify(input)).digest('hex').slice(0, 16);
}
