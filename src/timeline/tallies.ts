const PERIOD_MS = 60_000;
/** Subjects counted one by one in a minute; what others do is counted together. */
const MOST_SUBJECTS = 256;

type Tallied<T> = { count: number; newest: T };

/**
 * Counts what floods may bring by its subject, and tells of each at most once a minute: its first occurrence at once, those after
 * it when the minute is over. Subjects beyond the first 256 of a minute are told of together, as `undefined`.
 */
export class Tallies<T> {
  readonly #tell: (subject: string | undefined, count: number, newest: T) => void;
  #counts = new Map<string | undefined, Tallied<T>>();
  #timer: NodeJS.Timeout | undefined;

  /** `tell` must not throw. */
  constructor(tell: (subject: string | undefined, count: number, newest: T) => void) {
    this.#tell = tell;
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
    if (isAlone) this.#tell(subject, 1, what);
    this.#timer ??= setTimeout(() => this.#report(), PERIOD_MS).unref();
  }

  /** Tells what is still untold. Nothing may be noted afterwards. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flush();
  }

  /** Who went on is told of and watched for another minute; the others are forgotten. */
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
      this.#tell(subject, count, newest);
    }
  }
}
