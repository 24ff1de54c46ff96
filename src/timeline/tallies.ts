const PERIOD_MS = 60_000;
/** Subjects counted one by one in a minute; what others do is counted together. */
const MOST_SUBJECTS = 256;

type Tallied<T> = { count: number; newest: T };

/**
 * Counts occurrences that may come in floods by their subject, and reports each subject at most once a minute: its first occurrence at once, those after
 * it when the minute is over. Subjects beyond the first 256 of a minute are reported together, as `undefined`.
 */
export class Tallies<T> {
  readonly #onReport: (subject: string | undefined, count: number, newest: T) => void;
  #counts = new Map<string | undefined, Tallied<T>>();
  #timer: NodeJS.Timeout | undefined;

  /** `onReport` must not throw. */
  constructor(onReport: (subject: string | undefined, count: number, newest: T) => void) {
    this.#onReport = onReport;
  }

  note(subject: string, what: T): void {
    const known = this.#counts.get(subject);
    const counted = known ?? this.#counts.get(this.#counts.size < MOST_SUBJECTS ? subject : undefined);
    if (counted) {
      counted.count++;
      counted.newest = what;
      return;
    }
    const isAlone = this.#counts.size < MOST_SUBJECTS;
    this.#counts.set(isAlone ? subject : undefined, { count: isAlone ? 0 : 1, newest: what });
    if (isAlone) this.#onReport(subject, 1, what);
    this.#timer ??= setTimeout(() => this.#report(), PERIOD_MS).unref();
  }

  /** Reports what is not reported yet. Nothing may be noted afterwards. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flush();
  }

  /** Subjects that went on are reported and counted for another minute; the others are forgotten. */
  #report(): void {
    this.#timer = undefined;
    this.#flush();
    if (this.#counts.size > 0) this.#timer = setTimeout(() => this.#report(), PERIOD_MS).unref();
  }

  #flush(): void {
    const active = [...this.#counts].filter(([, { count }]) => count > 0);
    this.#counts = new Map();
    for (const [subject, { count, newest }] of active) {
      if (subject !== undefined) this.#counts.set(subject, { count: 0, newest });
      this.#onReport(subject, count, newest);
    }
  }
}
