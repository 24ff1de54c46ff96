import type { SiteNode } from '../model/node.ts';
import type { NodeDeclaration } from './schema.ts';
import type { Declared } from './shape.ts';

/** What an entry of `nodes:` contains, which depends on nothing but its text. */
export type ReadEntry = { readonly key: string; readonly value: unknown; readonly declared: NodeDeclaration };

/** A node, and the declarations that it was resolved from. */
type Resolved = { readonly declarations: readonly NodeDeclaration[]; readonly node: SiteNode };

/**
 * What one reading of a site folder leaves for the next, so that an edit costs what it changes: files and entries by their text, nodes by
 * their declarations. Nothing in it changes what a reading gives. It holds what the last reading used, and no more.
 */
export class SiteMemory {
  #entries: ReadonlyMap<string, ReadEntry> = new Map();
  #files = new Map<string, { readonly text: string; readonly declared: Declared<unknown> }>();
  #around = '';
  #nodes: ReadonlyMap<string, Resolved> = new Map();

  /** An entry of `nodes:` with this text. */
  entry(text: string): ReadEntry | undefined {
    return this.#entries.get(text);
  }

  /** Keeps these entries, by their texts, and no others. */
  keepEntries(entries: ReadonlyMap<string, ReadEntry>): void {
    this.#entries = entries;
  }

  /** What `read` gives for the text of a file; it is kept if it is without any finding. */
  file<T>(
    file: string,
    text: string,
    read: () => { readonly declared: Declared<T> | undefined; readonly clean: boolean },
  ): Declared<T> | undefined {
    const known = this.#files.get(file);
    // A file is always held against the same schema.
    if (known?.text === text) return known.declared as Declared<T>;
    const { declared, clean } = read();
    if (declared && clean) this.#files.set(file, { text, declared });
    else this.#files.delete(file);
    return declared;
  }

  /** The nodes that were resolved last, if everything but the entries of `nodes:` was then as `around` is now. */
  nodesOf(around: string): ReadonlyMap<string, Resolved> {
    return around === this.#around ? this.#nodes : new Map();
  }

  keepNodes(around: string, nodes: ReadonlyMap<string, Resolved>): void {
    this.#around = around;
    this.#nodes = nodes;
  }
}
