import { problem, TemplateProblem } from './problem.ts';

/** The work of one file's template: some 0.3 seconds of a slow processor. */
export const FILE_STEPS = 3_000_000;
/** The work of all templates of one bundle. */
export const BUNDLE_STEPS = 9_000_000;
/** The longest text that a template makes or prints, in UTF-16 units. */
export const LONGEST_TEXT = 16 * 1024 * 1024;
/** The files that the templates of one bundle make, together. */
export const BUNDLE_TEXT = 64 * 1024 * 1024;
/** The longest list that a template makes. */
export const LONGEST_LIST = 1_000_000;
/** Units of text that are made for one step, and that are read for one. */
const TEXT_PER_STEP = 16;
const READ_PER_STEP = 128;

/**
 * What templates may use: each step of an expression costs one, texts and lists by their length, so that memory is bounded
 * with time. Everything that makes a longer value asks here before it does.
 */
export class Budget {
  #steps: number;
  #text: number;
  readonly #of: string;

  constructor(steps: number, text: number, of: string) {
    this.#steps = steps;
    this.#text = text;
    this.#of = of;
  }

  /** What one bundle's templates may use together. */
  static forBundle(): Budget {
    return new Budget(BUNDLE_STEPS, BUNDLE_TEXT, 'the templates of one node');
  }

  /** Runs `work` with what one file may use of this; what it used is gone, also when it throws. */
  forFile<T>(work: (budget: Budget) => T): T {
    const steps = Math.min(FILE_STEPS, this.#steps);
    const text = Math.min(LONGEST_TEXT, this.#text);
    const all = steps < FILE_STEPS || text < LONGEST_TEXT;
    const file = new Budget(steps, text, all ? this.#of : 'a template');
    try {
      return work(file);
    } finally {
      this.#steps -= steps - Math.max(0, file.#steps);
      this.#text -= text - file.#text;
    }
  }

  /** Takes `steps`. Throws if there are not as many left. */
  spend(steps: number): void {
    this.#steps -= steps;
    if (this.#steps < 0 || Number.isNaN(steps)) {
      throw new TemplateProblem('too-much-work', `${this.#of} may not take so much work`);
    }
  }

  /** Takes what it costs to make a text of this length. */
  text(length: number): void {
    this.fits(length);
    this.spend(1 + length / TEXT_PER_STEP);
  }

  /** Takes what it costs to go over a text of this length, which is there already. */
  look(length: number): void {
    this.spend(length / READ_PER_STEP);
  }

  /** Throws if a text may not be so long. */
  fits(length: number): void {
    if (!(length <= LONGEST_TEXT)) throw tooLong();
  }

  /** Takes what it costs to make a list of this length. */
  list(length: number): void {
    if (!(length <= LONGEST_LIST)) throw problem(`a list is longer than ${LONGEST_LIST}`);
    this.spend(1 + length);
  }

  /** Takes room for what a file holds in the end. */
  keep(length: number): void {
    if (!(length <= this.#text)) throw tooLong();
    this.#text -= length;
  }
}

function tooLong(): TemplateProblem {
  return new TemplateProblem('too-long', `the text is longer than ${LONGEST_TEXT >> 20} MiB`);
}
