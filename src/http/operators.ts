import type { FastifyInstance } from 'fastify';
import type { ApiTokens } from '../access/apiTokens.ts';
import { ReveilleError } from '../errors.ts';
import type { EventSink } from '../model/event.ts';
import type { NodeDiff } from '../node/diff.ts';
import type { SyncOptions, SyncResult } from '../node/sync.ts';
import type { RollsForOperators } from '../roll/operators.ts';
import type { Status } from '../timeline/status.ts';
import { statusJson } from '../words/status.ts';
import { createApp } from './app.ts';
import { type Door, guardBy, ON_SOCKET } from './caller.ts';
import { Connections } from './connections.ts';
import type { AnswerOf } from './contracts/contract.ts';
import { DIFF, SYNC } from './contracts/files.ts';
import { openApi } from './contracts/openApi.ts';
import { HEALTH, OPEN_API } from './contracts/service.ts';
import { STATUS } from './contracts/status.ts';
import { addEventRoutes, type EventsForOperators } from './eventRoutes.ts';
import { auditEvent } from './gate.ts';
import { addLeaseRoutes, type LeasesForOperators } from './leaseRoutes.ts';
import { sendLines } from './lines.ts';
import { addMachineRoutes, type MachinesForOperators } from './machineRoutes.ts';
import { addMetricsRoute } from './metricsRoute.ts';
import { addRollRoutes } from './rollRoutes.ts';
import { readJsonBodies, serveJson, serveLines } from './serveRoute.ts';
import { addTokenRoutes } from './tokenRoutes.ts';
import { listenOnSocket } from './unixSocket.ts';

/** What the operators' API is made from. */
export type OperatorsFrom = EventsForOperators &
  MachinesForOperators & {
    readonly status: () => Promise<Status>;
    /** Orders these nodes to apply their bundles; results come as nodes finish. */
    readonly sync: (nodes: readonly string[], options: SyncOptions) => AsyncIterable<SyncResult>;
    /** What would change on the node of this name. Throws FILES_UNKNOWN, SITE_INVALID, TEMPLATE_INVALID. */
    readonly diff: (node: string) => Promise<NodeDiff>;
    readonly rolls: RollsForOperators;
    readonly leases: LeasesForOperators;
    readonly tokens: Pick<ApiTokens, 'list' | 'create' | 'revoke'>;
    /** Whether the state can be read and every service runs. */
    readonly isWell: () => Promise<boolean>;
    /** The metrics in Prometheus' text format. */
    readonly metrics: () => Promise<string>;
    /** Whether they may be read without a token. */
    readonly metricsAreOpen: () => boolean;
    /** Takes in who asked for which change. */
    readonly emit: EventSink;
  };

export type OperatorsServer = {
  /** Listens on the Unix socket at `path`, for its user and group. */
  listen(path: string): Promise<void>;
  close(): Promise<void>;
};

/** Connections at once; commands hold one each. */
const MOST_OPERATORS = 256;
const SYNC_PATIENCE_MS = 120_000;

/** The door of the Unix socket: who may open it may do everything. */
export function socketDoor(emit: EventSink): Door {
  return { admit: () => ON_SOCKET, changed: (change) => emit(auditEvent(change)) };
}

/** The server for operators; `contracts/` says what its routes take and answer. */
export function createOperatorsServer(from: OperatorsFrom): OperatorsServer {
  const app = createApp(from.faulted, new Connections(MOST_OPERATORS, MOST_OPERATORS));
  addOperatorRoutes(app, from, socketDoor(from.emit));
  let release: (() => Promise<void>) | undefined;
  return {
    async listen(path) {
      release = await listenOnSocket(path, (at) => app.listen({ path: at }));
    },
    async close() {
      await app.close();
      await release?.();
    },
  };
}

/** Has `app` serve the routes of operators to those whom a door lets in. */
export function addOperatorRoutes(app: FastifyInstance, from: OperatorsFrom, door: Door): void {
  const { faulted } = from;
  guardBy(app, door);
  readJsonBodies(app);
  addRollRoutes(app, from.rolls);
  addLeaseRoutes(app, from.leases);
  addTokenRoutes(app, from.tokens);
  addMachineRoutes(app, from);
  serveJson(app, HEALTH, async () => {
    if (await from.isWell()) return { ok: true } as const;
    throw new ReveilleError('SERVER_BUSY', 'not all of the server works');
  });
  addMetricsRoute(app, from);
  // Made for the first who asks: it takes longer than all else at the start.
  let document: ReturnType<typeof openApi> | undefined;
  serveJson(app, OPEN_API, () => {
    document ??= openApi();
    return document;
  });
  serveJson(app, STATUS, async () => statusJson(await from.status()));
  addEventRoutes(app, from);
  serveJson(app, DIFF, ({ query }) => {
    const [name = ''] = from.nodesNamed(query.node);
    return from.diff(name);
  });
  serveLines(app, SYNC, ({ body: { nodes: set, restore, wait = false, timeoutMs } }, reply) => {
    const nodes = from.nodesNamed(set);
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const results = from.sync(nodes, {
      gone: gone.signal,
      what: restore ? 'restore' : 'apply',
      wait,
      patienceMs: timeoutMs ?? SYNC_PATIENCE_MS,
    });
    return sendLines(reply, syncLines(nodes, results), faulted);
  });
}

/** The nodes that are asked, then the result of each. */
async function* syncLines(nodes: readonly string[], results: AsyncIterable<SyncResult>): AsyncGenerator<SyncLine> {
  yield { nodes };
  yield* results;
}

type SyncLine = AnswerOf<typeof SYNC>;
