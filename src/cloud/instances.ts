import { z } from 'zod';
import { ReveilleError } from '../errors.ts';
import { CloudRefusal, type CloudSession } from './session.ts';
import { COMPUTE_VERSION, read } from './view.ts';

/** A server of Nova, of any project. */
export type Instance = {
  readonly id: string;
  readonly name: string;
  /** `ACTIVE`, `SHUTOFF`, `VERIFY_RESIZE` and so on. */
  readonly status: string;
  /** What Nova does with it at the moment: `migrating`; absent where it does nothing. */
  readonly task?: string;
  /** The host of the compute service that it is on. */
  readonly host: string | null;
};

const serverSchema = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string(),
  'OS-EXT-STS:task_state': z.string().nullish(),
  'OS-EXT-SRV-ATTR:host': z.string().nullish(),
});
const serversSchema = z.object({ servers: z.array(serverSchema) });
const oneSchema = z.object({ server: serverSchema });

/** As many as Nova gives in one answer, unless it is set otherwise ([api] max_limit). */
const PAGE = 1000;

/**
 * The instances of all projects on a host. Throws CLOUD_REFUSED, CLOUD_UNREACHABLE; the role must be allowed to list the
 * servers of all projects.
 */
export async function instancesOn(session: CloudSession, host: string): Promise<readonly Instance[]> {
  const found: Instance[] = [];
  for (let marker = ''; ; ) {
    const query = `all_tenants=1&host=${encodeURIComponent(host)}&limit=${PAGE}${marker}`;
    const answer = await session.call('compute', `/servers/detail?${query}`, { microversion: COMPUTE_VERSION });
    const { servers } = read(serversSchema, answer, 'compute');
    found.push(...servers.map(instanceOf));
    const last = servers.at(-1);
    // A cloud whose role may not filter by host gives all servers, or those of its own project: neither may pass for this host.
    if (found.some((one) => one.host !== host)) {
      throw new ReveilleError('CLOUD_REFUSED', `the cloud does not list the instances on ${host} alone`, {
        hint: 'the user of clouds.yaml must be an administrator',
      });
    }
    if (last === undefined || servers.length < PAGE) return found;
    marker = `&marker=${encodeURIComponent(last.id)}`;
  }
}

/** One instance; `gone` if the cloud knows it no more. */
export async function instanceById(session: CloudSession, id: string): Promise<Instance | 'gone'> {
  try {
    const answer = await session.call('compute', `/servers/${id}`, { microversion: COMPUTE_VERSION });
    return instanceOf(read(oneSchema, answer, 'compute').server);
  } catch (error) {
    if (error instanceof CloudRefusal && error.status === 404) return 'gone';
    throw error;
  }
}

const migrationsSchema = z.object({ migrations: z.array(z.object({ status: z.string() })) });
/** The microversion that lists which migrations changed lately (Nova since Queens). */
const MIGRATIONS_VERSION = '2.59';
/** The states of a migration in which one of its hosts has still something to do. One that waits to be confirmed has not. */
const UNENDED: ReadonlySet<string> = new Set([
  ...['accepted', 'queued', 'preparing', 'running'],
  ...['pre-migrating', 'migrating', 'post-migrating', 'confirming', 'reverting'],
]);
/** A record that has not changed for so long was left behind by a host that died. */
const LEFT_BEHIND_MS = 15 * 60_000;

/**
 * How many instances are on their way from or to a host by Nova's records of migrations. An instance that comes stands under the
 * host that it leaves until it is there, and a host clears up for some seconds behind one that left. None where the cloud does
 * not tell.
 */
export async function movesOf(session: CloudSession, host: string, now: number): Promise<number> {
  const since = new Date(now + session.clockAheadMs() - LEFT_BEHIND_MS).toISOString().replace(/\.\d+/, '');
  const path = `/os-migrations?host=${encodeURIComponent(host)}&changes-since=${encodeURIComponent(since)}`;
  try {
    const answer = await session.call('compute', path, { microversion: MIGRATIONS_VERSION });
    return read(migrationsSchema, answer, 'compute').migrations.filter(({ status }) => UNENDED.has(status)).length;
  } catch (error) {
    if (error instanceof ReveilleError && error.code === 'CLOUD_REFUSED') return 0;
    throw error;
  }
}

function instanceOf(server: z.output<typeof serverSchema>): Instance {
  const task = server['OS-EXT-STS:task_state'];
  return {
    id: server.id,
    name: server.name,
    status: server.status,
    host: server['OS-EXT-SRV-ATTR:host'] ?? null,
    ...(task ? { task } : {}),
  };
}

/** Moves an instance while it runs; Nova chooses the host, and whether its disk must go along. */
export async function migrateLive(session: CloudSession, id: string): Promise<void> {
  await act(session, id, { 'os-migrateLive': { host: null, block_migration: 'auto' } });
}

/** Stops an instance, moves it to a host that Nova chooses, and starts it there if it ran; then it waits to be confirmed. */
export async function migrateCold(session: CloudSession, id: string): Promise<void> {
  await act(session, id, { migrate: null });
}

/** Confirms a cold migration: what is left on the old host, which must still run, is removed. */
export async function confirmMove(session: CloudSession, id: string): Promise<void> {
  await act(session, id, { confirmResize: null });
}

async function act(session: CloudSession, id: string, body: object): Promise<void> {
  await session.call('compute', `/servers/${id}/action`, { method: 'POST', microversion: COMPUTE_VERSION, body });
}

/** Takes a compute service out of scheduling, for a reason in words, at most 255 characters. */
export async function disableService(session: CloudSession, id: string, reason: string): Promise<void> {
  const body = { status: 'disabled', disabled_reason: reason.slice(0, 255) };
  await session.call('compute', `/os-services/${id}`, { method: 'PUT', microversion: COMPUTE_VERSION, body });
}

/** Lets the scheduler choose a compute service again. */
export async function enableService(session: CloudSession, id: string): Promise<void> {
  const body = { status: 'enabled' };
  await session.call('compute', `/os-services/${id}`, { method: 'PUT', microversion: COMPUTE_VERSION, body });
}
