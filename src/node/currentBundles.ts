import { setTimeout as after } from 'node:timers/promises';

/** The names of the nodes' current bundles, as far as they have been rendered. */
export type CurrentBundles = {
  /** SHA-256 of the node's bundle; `undefined` while it is not known, or if it does not render. */
  of(node: string): string | undefined;
  /** Notes a bundle that was rendered for the node just now. */
  note(node: string, sha256: string): void;
  /** The inputs of the node's bundle changed; without a name, of every node. */
  changed(node?: string): void;
  close(): void;
};

/** The pause after each rendering, as a multiple of its duration: requests of nodes come first. */
const REST = 3;

/**
 * Renders in the background, one after the other, the bundle of every node that `wanted` names and whose bundle is not known, and
 * keeps its name. `render` resolves to the name, or to nothing if there is none.
 */
export function createCurrentBundles(
  wanted: () => Iterable<string>,
  render: (node: string) => Promise<string | undefined>,
): CurrentBundles {
  const known = new Map<string, string | undefined>();
  const closing = new AbortController();
  let generation = 0;
  let walking = false;

  const walk = async (): Promise<void> => {
    if (walking) return;
    walking = true;
    try {
      for (let isDone = false; !isDone; ) {
        isDone = true;
        // Looked through once and not from the beginning for each: there may be thousands.
        for (const node of [...wanted()]) {
          if (known.has(node)) continue;
          isDone = false;
          const begun = { generation, at: performance.now() };
          const sha256 = await render(node);
          if (closing.signal.aborted) return;
          if (begun.generation === generation) known.set(node, sha256);
          await after((performance.now() - begun.at) * REST, undefined, { signal: closing.signal, ref: false });
        }
      }
    } catch (error) {
      if (!closing.signal.aborted) throw error;
    } finally {
      walking = false;
    }
  };

  return {
    of: (node) => known.get(node),
    note(node, sha256) {
      known.set(node, sha256);
    },
    changed(node) {
      generation++;
      if (node === undefined) known.clear();
      else known.delete(node);
      void walk();
    },
    close: () => closing.abort(),
  };
}
