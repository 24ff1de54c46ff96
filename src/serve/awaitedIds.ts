/** Ids that come ahead of those who ask for them, most of the time. */
export class AwaitedIds {
  readonly #waitMs: number;
  readonly #ids = new Map<string, string>();
  readonly #awaited = new Map<string, { readonly came: PromiseWithResolvers<string | undefined>; waiting: number }>();

  /** `waitMs`: how long who asks waits for one that is still to come. */
  constructor(waitMs = 2000) {
    this.#waitMs = waitMs;
  }

  take(ids: readonly (readonly [name: string, id: string])[]): void {
    for (const [name, id] of ids) {
      this.#ids.set(name, id);
      this.#awaited.get(name)?.came.resolve(id);
    }
  }

  forget(names: readonly string[]): void {
    for (const name of names) this.#ids.delete(name);
  }

  /** `undefined` if it does not come in time. */
  async of(name: string): Promise<string | undefined> {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const awaited = this.#awaited.get(name) ?? { came: Promise.withResolvers<string | undefined>(), waiting: 0 };
    this.#awaited.set(name, awaited);
    awaited.waiting++;
    const late = setTimeout(() => awaited.came.resolve(undefined), this.#waitMs);
    try {
      return await awaited.came.promise;
    } finally {
      clearTimeout(late);
      if (--awaited.waiting === 0) this.#awaited.delete(name);
    }
  }
}
