import type { Kysely } from 'kysely';
import type { Lease, LeaseStore } from '../dhcp/lease.ts';
import type { Ipv4 } from '../net/ipv4.ts';
import type { Mac } from '../net/mac.ts';
import type { Database, SqlValue, Statement } from './database.ts';
import { statementOf } from './dialect.ts';
import { groupCommit } from './groupCommit.ts';
import type { LeaseRow, Schema } from './schema.ts';

/** The leases of a database; those that come while others are on their way to the disk share the next transaction. */
export function leaseStore(database: Database, db: Kysely<Schema>): LeaseStore {
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

  const commit = groupCommit<Lease>(async (leases) => {
    if (leases.length === 0) return;
    await database.run(runsOf(leases).flatMap(statementsFor));
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
      const rows = await db.selectFrom('leases').selectAll().execute();
      return rows.map(leaseOf);
    },
    commit,
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
};

/** Its fields come in the order of SAMPLE_ROW: the compiled statement's parameters are told apart by order alone. */
function rowOf(lease: Lease): { [Column in keyof LeaseRow]: SqlValue } {
  const { ip, mac, network, state, start, expires, clientId, hostname } = lease;
  return { ip, mac, network, state, start, expires, client_id: clientId ?? null, hostname: hostname ?? null };
}

function leaseOf({ ip, mac, network, state, start, expires, client_id, hostname }: LeaseRow): Lease {
  return {
    ip: ip as Ipv4,
    mac: mac as Mac,
    network,
    state,
    start,
    expires,
    ...(client_id && { clientId: client_id }),
    ...(hostname !== null && { hostname }),
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
