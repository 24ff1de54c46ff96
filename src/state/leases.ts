import type { Kysely } from 'kysely';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease, LeaseStore } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import { type Database, type SqlValue, type Statement, statementOf } from './database.ts';
import { type Failure, unavailable } from './failure.ts';
import { groupCommit } from './groupCommit.ts';
import { LeaseMirror } from './leaseMirror.ts';
import type { LeaseRow, Schema } from './schema.ts';
import { HELD_UNTIL, RELEASE_HELD } from './sqlite/rebuild.ts';

/** Leases in a file that may lose them. */
export type LastingLeases = LeaseStore & {
  /** Has the next transaction begin with all leases as they were last committed, in place of those in the file. */
  replay(): void;
};

/** The leases of a database; those that come while others are on their way to the disk share the next transaction. */
export function leaseStore(database: Database, db: Kysely<Schema>): LastingLeases {
  const mirror = new LeaseMirror();
  /** Whether the mirror has all that was in the file. */
  let isWhole = false;
  let mustReplay = false;
  const upsertLease = db
    .insertInto('leases')
    .values(SAMPLE_ROW)
    .onConflict((conflict) =>
      conflict.column('ip').doUpdateSet((row) => ({
        mac: row.ref('excluded.mac'),
        network: row.ref('excluded.network'),
        state: row.ref('excluded.state'),
        start: row.ref('excluded.start'),
        expires: row.ref('excluded.expires'),
        client_id: row.ref('excluded.client_id'),
        hostname: row.ref('excluded.hostname'),
        reserved: row.ref('excluded.reserved'),
      })),
    )
    .compile();
  const deleteOthers = db
    .deleteFrom('leases')
    .where('network', '=', '')
    .where('mac', '=', '')
    .where('ip', '!=', 0)
    .where('state', '!=', 'declined')
    .compile();

  const selectAll = db.selectFrom('leases').selectAll().compile();

  const commit = groupCommit<Lease>(async (leases) => {
    const replays = mustReplay;
    if (leases.length === 0 && !replays) return;
    const all = replays ? [{ sql: 'delete from leases', rows: [[]] }, ...statementsFor(mirror.all()), RELEASED] : [];
    // What the mirror lacks is in this very group.
    await database.run([...all, ...runsOf(leases).flatMap(statementsFor)]);
    mirror.keep(leases);
    if (replays) mustReplay = false;
  });

  /** Where no address and no owner comes twice it makes no difference that all deletions come first. */
  const statementsFor = (leases: readonly Lease[]): Statement[] => {
    const bound = leases.filter(({ state }) => state === 'bound');
    return [
      statementOf(
        deleteOthers,
        bound.map(({ network, mac, ip }) => [network, mac, ip, 'declined']),
      ),
      statementOf(
        upsertLease,
        leases.map((lease) => Object.values(rowOf(lease))),
      ),
    ];
  };

  return {
    async load() {
      const [held, found] = await database.run([{ sql: HELD_UNTIL, rows: [[]] }, statementOf(selectAll)]);
      const until = Number(held?.rows[0]?.value ?? 0);
      if (until > Date.now()) throw unavailable(heldFailure(until));
      const leases = ((found?.rows ?? []) as LeaseRow[]).map(leaseOf);
      // What was committed before this is among them.
      mirror.keep(leases);
      isWhole = true;
      return leases;
    },
    commit,
    replay() {
      if (!isWhole) return;
      mustReplay = true;
      // Whoever commits next learns of a failure; here it is tried at once.
      commit([]).catch(() => {});
    },
  };
}

const RELEASED: Statement = { sql: RELEASE_HELD, rows: [[]] };

function heldFailure(until: number): Failure {
  return {
    message: `leases were lost with their records: until ${new Date(until).toISOString()} some may be in use that are not known`,
    hint: 'nodes with addresses of their own are served; bring back a copy of the state to serve all',
  };
}

const SAMPLE_ROW: LeaseRow = {
  ip: 0,
  mac: '',
  network: '',
  state: 'bound',
  start: 0,
  expires: 0,
  client_id: null,
  hostname: null,
  reserved: null,
};

/** Its fields come in the order of SAMPLE_ROW: the compiled statement's parameters are told apart by order alone. */
function rowOf(lease: Lease): { [Column in keyof LeaseRow]: SqlValue } {
  const { ip, mac, network, state, start, expires, clientId, hostname, reserved } = lease;
  return {
    ip,
    mac,
    network,
    state,
    start,
    expires,
    client_id: clientId ?? null,
    hostname: hostname ?? null,
    reserved: reserved === undefined ? null : Number(reserved),
  };
}

function leaseOf({ ip, mac, network, state, start, expires, client_id, hostname, reserved }: LeaseRow): Lease {
  return {
    ip: ip as Ipv4,
    mac: mac as Mac,
    network,
    state,
    start,
    expires,
    ...(client_id && { clientId: client_id }),
    ...(hostname !== null && { hostname }),
    ...(reserved !== null && { reserved: reserved !== 0 }),
  };
}

/** Cuts leases, in their order, into runs in which no address and no MAC comes twice: nearly always one run. */
function runsOf(leases: readonly Lease[]): Lease[][] {
  const runs: Lease[][] = [];
  const addresses = new Set<Ipv4>();
  const owners = new Set<Mac>();
  for (const lease of leases) {
    const run = runs.at(-1);
    if (run && !addresses.has(lease.ip) && !owners.has(lease.mac)) run.push(lease);
    else {
      runs.push([lease]);
      addresses.clear();
      owners.clear();
    }
    addresses.add(lease.ip);
    owners.add(lease.mac);
  }
  return runs;
}
