const PERIOD_MS = 60_000;

/**
 * Counts occurrences that may come in floods and reports them at most once a minute: the first at once, those after it
 * when the minute is over. `onReport` gets the number since it was last called and the latest sample.
 */
export class Tally {
  readonly #onReport: (count: number, sample: string) => void;
  #count = 0;
  #sample = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(onReport: (count: number, sample: string) => void) {
    this.#onReport = onReport;
  }

  note(sample: string, count = 1): void {
    this.#count += count;
    this.#sample = sample;
    if (this.#timer === undefined) this.#report();
  }

  /** Reports what is not reported yet. Nothing may be noted afterwards. */
  close(): void {
    clearTimeout(this.#timer);
    this.#reportCount();
  }

  #report(): void {
    this.#timer = undefined;
    if (this.#count === 0) return;
    // Before the report, which may cause what is counted.
    this.#timer = setTimeout(() => this.#report(), PERIOD_MS).unref();
    this.#reportCount();
  }

  #reportCount(): void {
    const count = this.#count;
    this.#count = 0;
    if (count > 0) this.#onReport(count, this.#sample);
  }
}
