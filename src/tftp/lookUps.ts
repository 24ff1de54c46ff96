type Waiting = { readonly start: () => void; readonly shed: () => void; readonly isStale: () => boolean };

export type LookUp<T> = {
  /** Known clients come first. */
  readonly known: boolean;
  /** Whether the answer is not wanted any more. */
  readonly isStale: () => boolean;
  readonly work: () => Promise<T>;
};

/**
 * Work on the file system that requests ask for, a few at once and a bounded number waiting: what a flood asks for does not
 * pile up, and what known clients ask for is done first.
 */
export class LookUps {
  readonly #atOnce: number;
  readonly #mostWaiting: number;
  readonly #waiting: { known: Waiting[]; other: Waiting[] } = { known: [], other: [] };
  #running = 0;

  constructor(atOnce: number, mostWaiting: number) {
    this.#atOnce = atOnce;
    this.#mostWaiting = mostWaiting;
  }

  /** Resolves to what `work` does, or to `undefined` where it was not begun: too many wait, or it went stale. */
  async run<T>({ known, isStale, work }: LookUp<T>): Promise<T | undefined> {
    if (this.#running < this.#atOnce) this.#running++;
    else if (!(await this.#turn(known, isStale))) return undefined;
    try {
      return isStale() ? undefined : await work();
    } finally {
      if (!this.#handOn()) this.#running--;
    }
  }

  /** Waits until one may begin; false if it is not to be. */
  #turn(known: boolean, isStale: () => boolean): Promise<boolean> {
    return new Promise((resolve) => {
      if (!this.#makeRoom(known)) {
        resolve(false);
        return;
      }
      const waiting = known ? this.#waiting.known : this.#waiting.other;
      waiting.push({ start: () => resolve(true), shed: () => resolve(false), isStale });
    });
  }

  #makeRoom(known: boolean): boolean {
    const { known: first, other } = this.#waiting;
    if (first.length + other.length < this.#mostWaiting) return true;
    shedStale(first);
    shedStale(other);
    if (first.length + other.length < this.#mostWaiting) return true;
    if (!known) return false;
    const oldest = other.shift();
    oldest?.shed();
    return oldest !== undefined;
  }

  /** Gives the place of one that has ended to the next; false if none waits. */
  #handOn(): boolean {
    for (let next = this.#shift(); next !== undefined; next = this.#shift()) {
      if (!next.isStale()) {
        next.start();
        return true;
      }
      next.shed();
    }
    return false;
  }

  #shift(): Waiting | undefined {
    return this.#waiting.known.shift() ?? this.#waiting.other.shift();
  }
}

function shedStale(waiting: Waiting[]): void {
  const fresh = waiting.filter((one) => !one.isStale());
  if (fresh.length === waiting.length) return;
  for (const one of waiting) if (one.isStale()) one.shed();
  waiting.splice(0, waiting.length, ...fresh);
}
