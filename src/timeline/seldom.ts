const PERIOD_MS = 60_000;
/** Most subjects in a minute; those beyond are not let through. */
const MOST_SUBJECTS = 1024;

/** Lets each subject through once a minute, so that repeats fill no log. Its memory is bounded. */
export class Seldom {
  readonly #now: () => number;
  /** When each was let through, the oldest first. */
  readonly #last = new Map<string, number>();

  /** `now` is in milliseconds and never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  lets(subject: string): boolean {
    const now = this.#now();
    const last = this.#last.get(subject);
    if (last !== undefined && now - last < PERIOD_MS) return false;
    this.#last.delete(subject);
    if (this.#last.size >= MOST_SUBJECTS) {
      const [[oldest, at] = ['', now]] = this.#last;
      if (now - at < PERIOD_MS) return false;
      this.#last.delete(oldest);
    }
    this.#last.set(subject, now);
    return true;
  }
}
