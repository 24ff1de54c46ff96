import { ReveilleError, troubleOf } from '../errors.ts';
import type { CloudStanding } from '../model/cloudStanding.ts';
import type { EventSink } from '../model/event.ts';
import type { GaugesOf } from '../model/gauges.ts';
import { type Expected, standingOf } from './inService.ts';
import type { CloudView } from './view.ts';

/** How often the cloud is asked while a boot waits to come into service, and otherwise. */
const WAITING_MS = 5000;
const WATCHING_MS = 60_000;

export type FollowCloudOptions = {
  /** The nodes that should be in service, by their newest boots; asked anew each round. */
  readonly expected: () => readonly Expected[];
  /** Asks the cloud. Rejects with the reason in words. */
  readonly view: () => Promise<CloudView>;
  /** Called each round for each node that the cloud misses. */
  readonly onMissing: (missed: Expected) => void;
  readonly emit: EventSink;
};

type Reported = { readonly bootedAt: number; readonly standing: CloudStanding };

/**
 * Keeps asking the cloud about the nodes that should be in service, and emits each change of a node's standing as an event.
 * Nothing waits for it: a cloud that does not answer delays no boot.
 */
export class CloudFollower implements Disposable {
  readonly #options: FollowCloudOptions;
  /** The last report of each node's boot. */
  readonly #reported = new Map<string, Reported>();
  #next: NodeJS.Timeout | undefined;
  #closed = false;
  #expected = 0;
  #rounds = 0;
  #failed = 0;

  /** Begins at once. */
  constructor(options: FollowCloudOptions) {
    this.#options = options;
    this.#turn();
  }

  gauges(): GaugesOf<'cloud'> {
    const inService = [...this.#reported.values()].filter(({ standing }) => standing.standing === 'in-service').length;
    return { expected: this.#expected, inService, rounds: this.#rounds, failed: this.#failed };
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#next);
  }

  #turn(): void {
    void this.#round()
      .catch((error: unknown) => {
        this.#options.emit({ kind: 'server.trouble', ...troubleOf(error) });
        return WATCHING_MS;
      })
      .then((ms) => {
        if (!this.#closed) this.#next = setTimeout(() => this.#turn(), ms).unref();
      });
  }

  /** Asks once, and gives how long to wait before the next time, in milliseconds. */
  async #round(): Promise<number> {
    const nodes = this.#options.expected();
    this.#expected = nodes.length;
    const names = new Set(nodes.map(({ node }) => node));
    for (const node of this.#reported.keys()) if (!names.has(node)) this.#reported.delete(node);
    if (nodes.length > 0) await this.#ask(nodes);
    if (this.#closed) return WATCHING_MS;
    const waits = nodes.some(({ node, bootedAt }) => {
      const last = this.#reported.get(node);
      return last?.bootedAt !== bootedAt || last.standing.standing !== 'in-service';
    });
    // With no node to look at, a boot that becomes ready is noticed as soon as one that waits.
    return waits || nodes.length === 0 ? WAITING_MS : WATCHING_MS;
  }

  async #ask(nodes: readonly Expected[]): Promise<void> {
    const { view, onMissing } = this.#options;
    this.#rounds++;
    const standings = await standingsOf(nodes, view);
    if (standings.some(([, { standing }]) => standing === 'cloud')) this.#failed++;
    if (this.#closed) return;
    for (const [of, standing] of standings) {
      this.#report(of, standing);
      if (standing.standing !== 'in-service' && standing.standing !== 'cloud') onMissing(of);
    }
  }

  #report({ node, bootedAt }: Expected, standing: CloudStanding): void {
    const last = this.#reported.get(node);
    if (last?.bootedAt === bootedAt && isSame(last.standing, standing)) return;
    this.#reported.set(node, { bootedAt, standing });
    this.#options.emit({ kind: 'cloud.standing', ...standing });
  }
}

async function standingsOf(
  nodes: readonly Expected[],
  view: () => Promise<CloudView>,
): Promise<readonly (readonly [Expected, CloudStanding])[]> {
  try {
    const seen = await view();
    return nodes.map((node) => [node, standingOf(seen, node)] as const);
  } catch (error) {
    if (!(error instanceof ReveilleError)) throw error;
    const { code, message, hint } = error;
    const why = { error: code, message, ...(hint === undefined ? {} : { advice: hint }) };
    return nodes.map((one) => [one, { standing: 'cloud', node: one.node, ...why }] as const);
  }
}

/** Whether two standings are the same, whatever the clocks. */
function isSame(one: CloudStanding, other: CloudStanding): boolean {
  const withoutClock = (standing: CloudStanding) => JSON.stringify({ ...standing, cloudAheadMs: undefined });
  return withoutClock(one) === withoutClock(other);
}
