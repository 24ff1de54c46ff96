/** Variables of a template, with those around it. */
export class Scope {
  readonly #own = new Map<string, unknown>();
  readonly #around: Scope | undefined;
  /** Whether what is set in here stays in here. */
  readonly #closed: boolean;

  constructor(around?: Scope, closed = false) {
    this.#around = around;
    this.#closed = closed;
  }

  get(name: string): unknown {
    const value = this.#own.get(name);
    if (value !== undefined || this.#own.has(name)) return value;
    return this.#around?.get(name);
  }

  has(name: string): boolean {
    return this.#own.has(name) || (this.#around?.has(name) ?? false);
  }

  /** Gives a name of this scope's own a value. */
  declare(name: string, value: unknown): void {
    this.#own.set(name, value);
  }

  /** Gives a value to the name where it is declared, up to the first closed scope; to one of this scope's own if nowhere. */
  set(name: string, value: unknown): void {
    for (let scope: Scope | undefined = this; scope; scope = scope.#closed ? undefined : scope.#around) {
      if (scope.#own.has(name)) {
        scope.#own.set(name, value);
        return;
      }
    }
    this.#own.set(name, value);
  }
}
