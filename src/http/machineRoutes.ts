import type { FastifyInstance } from 'fastify';
import type { PowerOrder } from '../bmc/carryOut.ts';
import type { PowerResult } from '../bmc/switchNodes.ts';
import type { FaultSink } from '../faults.ts';
import type { AnswerOf, ValuesOf } from './contracts/contract.ts';
import { ADD_NODE, ADOPT, LIST_IMAGES, POWER, REMOVE_NODE } from './contracts/machines.ts';
import { sendLines } from './lines.ts';
import { busy } from './refused.ts';
import { serveJson, serveLines } from './serveRoute.ts';
import { Slots } from './slots.ts';

type Edited = AnswerOf<typeof ADD_NODE>;

/** What the operators' API asks of machines, of the site's text and of images. */
export type MachinesForOperators = {
  /** The names of the nodes that a set names. Throws NODE_UNKNOWN, NODE_SET_INVALID. */
  readonly nodesNamed: (set: string) => readonly string[];
  readonly power: (
    nodes: readonly string[],
    order: PowerOrder,
    options: { readonly dryRun: boolean; readonly gone: AbortSignal },
  ) => AsyncIterable<PowerResult>;
  /** Each rejects with SITE_INVALID, with nothing written. */
  readonly adopt: (asked: ValuesOf<typeof ADOPT>['body']) => Promise<Edited>;
  readonly addNode: (asked: ValuesOf<typeof ADD_NODE>['body']) => Promise<Edited>;
  readonly removeNode: (name: string, dryRun: boolean) => Promise<Edited>;
  readonly images: () => Promise<AnswerOf<typeof LIST_IMAGES>>;
  readonly faulted: FaultSink;
};

/** Requests that switch machines at once: each asks 16 BMCs at a time. */
const MOST_SWITCHING = 4;

/** What operators ask of machines, of the site's text and of images. */
export function addMachineRoutes(app: FastifyInstance, from: MachinesForOperators): void {
  const switching = new Slots<'all'>(MOST_SWITCHING, MOST_SWITCHING);
  serveLines(app, POWER, async ({ body: { nodes: set, order, dryRun = false } }, reply) => {
    const nodes = from.nodesNamed(set);
    const giveBack = switching.take('all');
    if (giveBack === undefined) throw busy('machines are being switched for others');
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    try {
      return await sendLines(
        reply,
        powerLines(nodes, from.power(nodes, order, { dryRun, gone: gone.signal })),
        from.faulted,
      );
    } finally {
      giveBack();
    }
  });
  serveJson(app, ADOPT, ({ body }) => from.adopt(body));
  serveJson(app, ADD_NODE, ({ body }) => from.addNode(body));
  serveJson(app, REMOVE_NODE, ({ params: { name }, body: { dryRun = false } }) => from.removeNode(name, dryRun));
  serveJson(app, LIST_IMAGES, () => from.images());
}

/** The nodes that are asked, then the result of each. */
async function* powerLines(
  nodes: readonly string[],
  results: AsyncIterable<PowerResult>,
): AsyncGenerator<AnswerOf<typeof POWER>> {
  yield { nodes };
  yield* results;
}
