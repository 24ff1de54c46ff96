import { setTimeout as after } from 'node:timers/promises';

/** The pause after each rendering, as a multiple of its duration: requests of nodes come first. */
const REST = 3;

/**
 * The names of the nodes' current bundles, as far as they have been rendered: in the background, one after the other, that of every
 * node that `wanted` names and whose bundle is not known. `render` resolves to the name, or to nothing if there is none.
 */
export class CurrentBundles {
  readonly #wanted: () => Iterable<string>;
  readonly #render: (node: string) => Promise<string | undefined>;
  readonly #known = new Map<string, string | undefined>();
  readonly #closing = new AbortController();
  #generation = 0;
  #isWalking = false;

  constructor(wanted: () => Iterable<string>, render: (node: string) => Promise<string | undefined>) {
    this.#wanted = wanted;
    this.#render = render;
  }

  /** SHA-256 of the node's bundle; `undefined` while it is not known, or if it does not render. */
  of(node: string): string | undefined {
    return this.#known.get(node);
  }

  /** Notes a bundle that was rendered for the node just now. */
  note(node: string, sha256: string): void {
    this.#known.set(node, sha256);
  }

  /** The inputs of every node's bundle changed. */
  changed(): void {
    this.#generation++;
    this.#known.clear();
    void this.#walk();
  }

  close(): void {
    this.#closing.abort();
  }

  async #walk(): Promise<void> {
    if (this.#isWalking) return;
    this.#isWalking = true;
    const { signal } = this.#closing;
    try {
      for (let isDone = false; !isDone; ) {
        const generation = this.#generation;
        const found = await this.#renderUnknown(signal);
        isDone = !found && generation === this.#generation;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#isWalking = false;
    }
  }

  /** Renders what is not known; whether there was something. Rejects once `closing` aborts. */
  async #renderUnknown(closing: AbortSignal): Promise<boolean> {
    let found = false;
    // Looked through once and not from the beginning for each: there may be thousands.
    for (const node of [...this.#wanted()]) {
      if (this.#known.has(node)) continue;
      found = true;
      const begun = { generation: this.#generation, at: performance.now() };
      const sha256 = await this.#render(node);
      closing.throwIfAborted();
      if (begun.generation === this.#generation) this.#known.set(node, sha256);
      await after((performance.now() - begun.at) * REST, undefined, { signal: closing, ref: false });
    }
    return found;
  }
}
