/** The same is told once in this time, with how often it happened since. */
const REPEAT_MS = 60_000;
const MOST_SUBJECTS = 1000;
/** Subjects that are told of in that time. */
const MOST_TOLD = 100;

type Subject = { count: number; toldAt: number };

/** Events that whoever sends requests can cause: each subject at most once a minute, and a bounded number of them in all. */
export class Notices {
  readonly #now: () => number;
  readonly #subjects = new Map<string, Subject>();
  #windowFrom = Number.NEGATIVE_INFINITY;
  #told = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Notes that it happened again, and calls `tell` where it is time to, with how often it did since the last time. */
  note(subject: string, tell: (count: number) => void): void {
    const now = this.#now();
    const known = this.#subjects.get(subject) ?? { count: 0, toldAt: Number.NEGATIVE_INFINITY };
    known.count++;
    this.#subjects.delete(subject);
    this.#subjects.set(subject, known);
    const oldest = this.#subjects.size > MOST_SUBJECTS ? this.#subjects.keys().next().value : undefined;
    if (oldest !== undefined) this.#subjects.delete(oldest);
    if (now - this.#windowFrom >= REPEAT_MS) {
      this.#windowFrom = now;
      this.#told = 0;
    }
    if (now - known.toldAt < REPEAT_MS || this.#told >= MOST_TOLD) return;
    this.#told++;
    const { count } = known;
    known.count = 0;
    known.toldAt = now;
    tell(count);
  }
}
