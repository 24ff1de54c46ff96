/** Counts what runs at once, in all and for each owner. */
export class Slots<Owner> {
  readonly #most: number;
  readonly #mostEach: number;
  readonly #ofEach = new Map<Owner, number>();
  #inAll = 0;

  constructor(most: number, mostEach: number) {
    this.#most = most;
    this.#mostEach = mostEach;
  }

  /** Takes a slot; `false` if there is none. Each one that was taken is given back once. */
  take(owner: Owner): boolean {
    const own = this.#ofEach.get(owner) ?? 0;
    if (this.#inAll >= this.#most || own >= this.#mostEach) return false;
    this.#inAll++;
    this.#ofEach.set(owner, own + 1);
    return true;
  }

  giveBack(owner: Owner): void {
    const left = (this.#ofEach.get(owner) ?? 1) - 1;
    this.#inAll--;
    if (left === 0) this.#ofEach.delete(owner);
    else this.#ofEach.set(owner, left);
  }
}
