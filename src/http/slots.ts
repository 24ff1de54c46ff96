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

  /** Takes a slot; `undefined` if there is none. What it returns gives the slot back; only the first call counts. */
  take(owner: Owner): (() => void) | undefined {
    const own = this.#ofEach.get(owner) ?? 0;
    if (this.#inAll >= this.#most || own >= this.#mostEach) return undefined;
    this.#inAll++;
    this.#ofEach.set(owner, own + 1);
    let isHeld = true;
    return () => {
      if (isHeld) this.#giveBack(owner);
      isHeld = false;
    };
  }

  #giveBack(owner: Owner): void {
    const left = (this.#ofEach.get(owner) ?? 1) - 1;
    this.#inAll--;
    if (left === 0) this.#ofEach.delete(owner);
    else this.#ofEach.set(owner, left);
  }
}
