/** A subject causes one event in this time, which counts how often it happened since the last. */
const REPEAT_MS = 60_000;
const MOST_SUBJECTS = 1000;
/** Events of all subjects in that time. */
const MOST_EVENTS = 100;

type Subject = { count: number; lastAt: number };

/** Events that any sender of requests can cause: each subject at most once a minute, and a bounded number of them in all. */
export class Notices {
  readonly #now: () => number;
  readonly #subjects = new Map<string, Subject>();
  #windowFrom = Number.NEGATIVE_INFINITY;
  #events = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Notes that it happened again, and calls `report` where an event is due, with how often it did since the last one. */
  note(subject: string, report: (count: number) => void): void {
    const now = this.#now();
    const known = this.#subjects.get(subject) ?? { count: 0, lastAt: Number.NEGATIVE_INFINITY };
    known.count++;
    this.#subjects.delete(subject);
    this.#subjects.set(subject, known);
    const oldest = this.#subjects.size > MOST_SUBJECTS ? this.#subjects.keys().next().value : undefined;
    if (oldest !== undefined) this.#subjects.delete(oldest);
    if (now - this.#windowFrom >= REPEAT_MS) {
      this.#windowFrom = now;
      this.#events = 0;
    }
    if (now - known.lastAt < REPEAT_MS || this.#events >= MOST_EVENTS) return;
    this.#events++;
    const { count } = known;
    known.count = 0;
    known.lastAt = now;
    report(count);
  }
}
