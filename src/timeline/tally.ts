const PERIOD_MS = 60_000;

/**
 * Counts what may come in floods and tells of it at most once a minute: the first occurrence at once, those after it
 * when the minute is over. `tell` gets the number since it was last called and the latest sample.
 */
export class Tally {
  readonly #tell: (count: number, sample: string) => void;
  #count = 0;
  #sample = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (count: number, sample: string) => void) {
    this.#tell = tell;
  }

  note(sample: string, count = 1): void {
    this.#count += count;
    this.#sample = sample;
    if (this.#timer === undefined) this.#report();
  }

  /** Tells what is still untold. Nothing may be noted afterwards. */
  close(): void {
    clearTimeout(this.#timer);
    this.#tellCount();
  }

  #report(): void {
    this.#timer = undefined;
    if (this.#count === 0) return;
    // Before it is told: telling may cause what is counted.
    this.#timer = setTimeout(() => this.#report(), PERIOD_MS).unref();
    this.#tellCount();
  }

  #tellCount(): void {
    const count = this.#count;
    this.#count = 0;
    if (count > 0) this.#tell(count, this.#sample);
  }
}
