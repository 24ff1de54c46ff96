import type { Event } from '../model/event.ts';
import type { Boot } from '../timeline/boots.ts';
import { type Family, Histogram } from './text.ts';

const SECONDS = [5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200];
/** Boots whose end was counted; of more nodes those are forgotten whose boot ended first. */
const MOST_NODES = 20_000;

/** How boots ended since the start, and how long those took that ended with `ready`. */
export class BootTimes {
  readonly #boots: (node: string) => readonly Boot[];
  /** When the boot began that was counted last, and its end. */
  readonly #counted = new Map<string, string>();
  readonly #seconds = new Histogram(SECONDS);
  readonly #ended = { ready: 0, failed: 0 };

  /** `boots` gives those of a node, newest first, with the event in them that is being told of. */
  constructor(boots: (node: string) => readonly Boot[]) {
    this.#boots = boots;
  }

  see({ node }: Pick<Event, 'node'>): void {
    if (node === undefined) return;
    const boot = this.#boots(node)[0];
    if (boot === undefined || boot.state === 'booting') return;
    const end = `${boot.startedAt} ${boot.state}`;
    if (this.#counted.get(node) === end) return;
    this.#counted.delete(node);
    this.#counted.set(node, end);
    const oldest = this.#counted.size > MOST_NODES ? this.#counted.keys().next().value : undefined;
    if (oldest !== undefined) this.#counted.delete(oldest);
    this.#ended[boot.state]++;
    if (boot.state === 'ready') this.#seconds.add((boot.updatedAt - boot.startedAt) / 1000);
  }

  /** Takes boots that had ended before the start as counted. */
  startWith(nodes: Iterable<string>): void {
    for (const node of nodes) {
      const boot = this.#boots(node)[0];
      if (boot && boot.state !== 'booting') this.#counted.set(node, `${boot.startedAt} ${boot.state}`);
    }
  }

  families(): readonly Family[] {
    return [
      {
        name: 'reveille_boots_total',
        kind: 'counter',
        help: 'Boots of nodes that ended, by how.',
        samples: Object.entries(this.#ended).map(([outcome, value]) => ({ labels: { outcome }, value })),
      },
      {
        name: 'reveille_boot_duration_seconds',
        kind: 'histogram',
        help: 'How long boots took from the first request to ready.',
        samples: this.#seconds.samples(),
      },
    ];
  }
}
