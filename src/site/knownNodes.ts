import type { SiteNode } from '../model/node.ts';
import type { Findings } from './finding.ts';
import type { NodeEntry } from './nodeEntries.ts';
import type { SiteMemory } from './siteMemory.ts';

/**
 * The nodes of this reading, of which those that the last one resolved from the same declarations are not resolved again. `around` is all
 * else that they depend on.
 */
export class KnownNodes {
  readonly #memory: SiteMemory;
  readonly #around: string;
  readonly #before: ReturnType<SiteMemory['nodesOf']>;
  readonly #now = new Map<string, NonNullable<ReturnType<ReturnType<SiteMemory['nodesOf']>['get']>>>();

  constructor(memory: SiteMemory, around: string) {
    this.#memory = memory;
    this.#around = around;
    this.#before = memory.nodesOf(around);
  }

  /** The node of these entries; one that `make` makes without any finding is known from now on. */
  node(name: string, entries: readonly NodeEntry[], findings: Findings, make: () => SiteNode): SiteNode {
    const known = this.#before.get(name);
    const isSame =
      known?.declarations.length === entries.length &&
      entries.every(({ declared }, i) => declared === known.declarations[i]);
    if (known && isSame) {
      this.#now.set(name, known);
      return known.node;
    }
    const before = findings.count;
    const node = make();
    if (findings.count === before && !entries.some(holdsPlaces))
      this.#now.set(name, { declarations: entries.map(({ declared }) => declared), node });
    return node;
  }

  /** Leaves the nodes of this reading for the next. */
  keep(): void {
    this.#memory.keepNodes(this.#around, this.#now);
  }
}

/** Whether the node has the lines of the file that set something, which may be others after an edit. */
function holdsPlaces({ declared: { overlays, replace } }: NodeEntry): boolean {
  return overlays.length > 0 || Object.keys(replace).length > 0;
}
