import { fewAtOnce } from './fewAtOnce.ts';

type Lane<T> = { readonly running: Promise<T>; next: Promise<T> | undefined };

/**
 * Work that many may ask for and that is done once for all of them: of each key one piece runs, and requests that come meanwhile share
 * the next one, which begins after it and so knows of all that changed before they asked. Of all keys, `most` run at once.
 */
export class Renderings<T> {
  readonly #inTheirTurn: <R>(work: () => Promise<R>) => Promise<R>;
  readonly #lanes = new Map<string, Lane<T>>();

  constructor(most: number) {
    this.#inTheirTurn = fewAtOnce(most);
  }

  run(key: string, work: () => Promise<T>): Promise<T> {
    const lane = this.#lanes.get(key);
    if (lane === undefined) return this.#begin(key, work);
    lane.next ??= lane.running.then(
      () => this.#begin(key, work),
      () => this.#begin(key, work),
    );
    return lane.next;
  }

  #begin(key: string, work: () => Promise<T>): Promise<T> {
    const running = this.#inTheirTurn(work);
    const lane: Lane<T> = { running, next: undefined };
    this.#lanes.set(key, lane);
    const done = () => {
      if (this.#lanes.get(key) === lane && lane.next === undefined) this.#lanes.delete(key);
    };
    running.then(done, done);
    return running;
  }
}
