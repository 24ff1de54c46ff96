import { ReveilleError, troubleOf } from '../errors.ts';
import type { EventSink } from '../model/event.ts';
import { type Expected, type Standing, standingOf } from './inService.ts';
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
 * Keeps asking the cloud about the nodes that should be in service, and tells each change of a node's standing as an event.
 * Nobody waits for it: a cloud that does not answer costs the boots nothing.
 */
export function followCloud({ expected, view, onMissing, emit }: FollowCloudOptions): Disposable {
  /** What was told last of each node's boot. */
  const told = new Map<string, { readonly bootedAt: number; readonly words: string; readonly inService: boolean }>();
  let next: NodeJS.Timeout | undefined;
  let closed = false;

  /** Asks once, and gives how long to wait before the next time, in milliseconds. */
  const round = async (): Promise<number> => {
    const nodes = expected();
    const names = new Set(nodes.map(({ node }) => node));
    for (const node of told.keys()) if (!names.has(node)) told.delete(node);
    if (nodes.length > 0) {
      const standings = await ask(view, nodes);
      if (closed) return WATCHING_MS;
      for (const [of, standing] of standings) {
        tell(of, standing);
        if (standing.kind === 'missing' && standing.what !== 'cloud') onMissing(of);
      }
    }
    const waits = nodes.some(({ node, bootedAt }) => {
      const last = told.get(node);
      return last?.bootedAt !== bootedAt || !last.inService;
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

  const tell = ({ node, bootedAt }: Expected, standing: Standing): void => {
    const inService = standing.kind === 'in-service';
    const words = inService ? serviceWords(standing) : standing.words;
    const last = told.get(node);
    if (last?.bootedAt === bootedAt && last.words === words) return;
    told.set(node, { bootedAt, words, inService });
    emit({
      kind: 'cloud.standing',
      node,
      standing: inService ? 'in-service' : standing.what,
      words,
      ...hintOf(standing),
    });
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
): Promise<readonly (readonly [Expected, Standing])[]> {
  try {
    const seen = await view();
    return nodes.map((node) => [node, standingOf(seen, node)] as const);
  } catch (error) {
    if (!(error instanceof ReveilleError)) throw error;
    const standing: Standing = {
      kind: 'missing',
      what: 'cloud',
      words: `the cloud cannot be asked: ${error.message}`,
      hint: error.hint ?? 'see cloud: in site.yaml and the clouds.yaml that it names',
    };
    return nodes.map((node) => [node, standing] as const);
  }
}

function serviceWords({ enabled, disabledReason }: Standing & { readonly kind: 'in-service' }): string {
  if (enabled) return 'in service';
  return `in service, and disabled${disabledReason === undefined ? '' : ` (${disabledReason})`}`;
}

function hintOf(standing: Standing): { readonly hint?: string } {
  return standing.kind === 'missing' ? { hint: standing.hint } : {};
}
