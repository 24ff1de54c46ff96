/** Gives names that fit a site and come once each, as near to the wanted one as that allows. */
export class Names {
  readonly #taken = new Set<string>();
  /** The number behind the next name of a base; those below are taken. */
  readonly #numbers = new Map<string, number>();
  readonly #longest: number;

  constructor(longest = 63) {
    this.#longest = longest;
  }

  /** Takes the first of `wanted` that is free; else the first with a number behind it. */
  take(...wanted: readonly (string | undefined)[]): string {
    const names = wanted.map((name) => asName(name ?? '', this.#longest)).filter((name) => name !== '');
    const free = names.find((name) => !this.isTaken(name));
    if (free !== undefined) return this.#claim(free);
    const [first = 'unnamed'] = names;
    const base = first.slice(0, this.#longest - 6);
    for (let i = this.#numbers.get(base.toLowerCase()) ?? 2; ; i++) {
      const name = `${base}-${i}`;
      if (this.isTaken(name)) continue;
      this.#numbers.set(base.toLowerCase(), i + 1);
      return this.#claim(name);
    }
  }

  isTaken(name: string): boolean {
    return this.#taken.has(name.toLowerCase());
  }

  #claim(name: string): string {
    this.#taken.add(name.toLowerCase());
    return name;
  }
}

/** Letters, digits and inner hyphens: what fits a node and anything else that has a name. */
function asName(text: string, longest: number): string {
  return text
    .replace(/[^A-Za-z0-9]+/g, '-')
    .slice(0, longest)
    .replace(/^-+|-+$/g, '');
}
