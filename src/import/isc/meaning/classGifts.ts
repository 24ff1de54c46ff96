/** What classes give: an option by its number, the boot server, a boot file. */
export type Gift = number | 'nextServer' | 'bootFile';

/**
 * What classes give to whom. Classes come between a network and its nodes, so that a node which says the same as its network has
 * to say it again where a class that it may be in gives something else.
 */
export class ClassGifts {
  readonly #toAny = new Set<Gift>();
  readonly #filesForAny = new Set<string>();
  readonly #toMac = new Map<string, { readonly gifts: Set<Gift>; readonly files: Set<string> }>();

  /** Notes what a class gives; `macs` if it is for these machines only. */
  note(macs: readonly string[] | undefined, gifts: Iterable<Gift>, file: string | undefined): void {
    const isListed = macs?.every((mac) => !mac.includes('*')) === true;
    for (const { gifts: known, files } of isListed ? macs.map((mac) => this.#of(mac)) : [this.#any]) {
      for (const gift of gifts) known.add(gift);
      if (file !== undefined) files.add(file);
    }
  }

  get #any() {
    return { gifts: this.#toAny, files: this.#filesForAny };
  }

  #of(mac: string) {
    const known = this.#toMac.get(mac) ?? { gifts: new Set<Gift>(), files: new Set<string>() };
    this.#toMac.set(mac, known);
    return known;
  }

  /** Whether a machine may be in a class that gives this. */
  has(gift: Gift, macs: readonly string[]): boolean {
    return this.#toAny.has(gift) || macs.some((mac) => this.#toMac.get(mac)?.gifts.has(gift));
  }

  /** The boot files of the classes that a machine may be in. */
  filesFor(macs: readonly string[]): readonly string[] {
    return [...this.#filesForAny, ...macs.flatMap((mac) => [...(this.#toMac.get(mac)?.files ?? [])])];
  }
}
