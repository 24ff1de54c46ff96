import { ReveilleError, troubleOf } from '../errors.ts';
import type { CloudStanding } from '../model/cloudStanding.ts';
import type { EventSink } from '../model/event.ts';
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

/**
 * Keeps asking the cloud about the nodes that should be in service, and emits each change of a node's standing as an event.
 * Nothing waits for it: a cloud that does not answer delays no boot.
 */
export function followCloud({ expected, view, onMissing, emit }: FollowCloudOptions): Disposable {
  /** The last report of each node's boot. */
  const reported = new Map<string, { readonly bootedAt: number; readonly standing: CloudStanding }>();
  let next: NodeJS.Timeout | undefined;
  let closed = false;

  /** Asks once, and gives how long to wait before the next time, in milliseconds. */
  const round = async (): Promise<number> => {
    const nodes = expected();
    const names = new Set(nodes.map(({ node }) => node));
    for (const node of reported.keys()) if (!names.has(node)) reported.delete(node);
    if (nodes.length > 0) {
      const standings = await ask(view, nodes);
      if (closed) return WATCHING_MS;
      for (const [of, standing] of standings) {
        report(of, standing);
        if (standing.standing !== 'in-service' && standing.standing !== 'cloud') onMissing(of);
      }
    }
    const waits = nodes.some(({ node, bootedAt }) => {
      const last = reported.get(node);
      return last?.bootedAt !== bootedAt || last.standing.standing !== 'in-service';
    });
    // With no node to look at, a boot that becomes ready is noticed as soon as one that waits.
    return waits || nodes.length === 0 ? WAITING_MS : WATCHING_MS;
  };
  const turn = (): void => {
    void round()
      .catch((error: unknown) => {
        emit({ kind: 'server.trouble', ...troubleOf(error) });
        return WATCHING_MS;
      })
      .then((ms) => {
        if (!closed) next = setTimeout(turn, ms).unref();
      });
  };

  const report = ({ node, bootedAt }: Expected, standing: CloudStanding): void => {
    const last = reported.get(node);
    if (last?.bootedAt === bootedAt && isSame(last.standing, standing)) return;
    reported.set(node, { bootedAt, standing });
    emit({ kind: 'cloud.standing', ...standing });
  };

  turn();
  return {
    [Symbol.dispose]() {
      closed = true;
      clearTimeout(next);
    },
  };
}

async function ask(
  view: () => Promise<CloudView>,
  nodes: readonly Expected[],
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
