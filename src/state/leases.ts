import type { CompiledQuery, Kysely } from 'kysely';
import { z } from 'zod';
import { isDisputed, type LeaseStore } from '../dhcp/leaseStore.ts';
import { inTurn } from '../inTurn.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import { type Mac, parseMac } from '../model/mac.ts';
import { type SqlValue, type Statement, statementOf } from './database.ts';
import { type Failure, unavailable } from './failure.ts';
import { LeaseMirror } from './leaseMirror.ts';
import { LEASES_HELD } from './marks.ts';
import type { LeaseRow, Schema } from './schema.ts';
import { type Tables, wholeNumber } from './tables.ts';

/** Leases in a table, of a database that may lose them. The mirror of it in memory is what this server knows of it. */
export class SqlLeases implements LeaseStore {
  readonly #tables: Tables<Schema>;
  readonly #mirror = new LeaseMirror();
  /** Whether the mirror has all that was in the file. */
  #isWhole = false;
  #mustReplay = false;
  readonly #inOrder = inTurn();
  readonly #endOthers: CompiledQuery;
  readonly #take: CompiledQuery;

  constructor(tables: Tables<Schema>) {
    this.#tables = tables;
    this.#endOthers = endOthersQuery(tables.db);
    this.#take = takeQuery(tables.db);
  }

  async load(): Promise<readonly Lease[]> {
    const { db } = this.#tables;
    const [held, found] = await this.#tables.run([
      statementOf(db.selectFrom('meta').select('value').where('key', '=', LEASES_HELD).compile()),
      statementOf(db.selectFrom('leases').selectAll().compile()),
    ]);
    const [until] = this.#tables.parse('meta', held, HELD_ROW);
    if (until && until.value > Date.now()) throw unavailable(heldFailure(until.value));
    const leases = this.#tables.parse('leases', found, LEASE_ROW, SET_ASIDE_ROW);
    // What was committed before this is among them.
    this.#mirror.keep(leases);
    this.#isWhole = true;
    return leases;
  }

  commit(leases: readonly Lease[]): Promise<readonly Lease[]> {
    return this.#inOrder(() => this.#write(leases));
  }

  /** Has the next transaction begin with all leases as they were last committed, in place of those in the file. */
  replay(): void {
    if (!this.#isWhole) return;
    this.#mustReplay = true;
    // Whoever commits next learns of a failure; here it is tried at once.
    this.commit([]).catch(() => {});
  }

  /** All in one transaction; where some are disputed, all others. */
  async #write(leases: readonly Lease[]): Promise<readonly Lease[]> {
    const others: Lease[] = [];
    let left = leases;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const replays = this.#mustReplay;
      if (left.length === 0 && !replays) return others;
      // What the mirror lacks is in this very call.
      if (await this.#tables.claim([...(replays ? this.#all() : []), ...this.#record(left)])) {
        this.#mirror.keep(left);
        if (replays) this.#mustReplay = false;
        return others;
      }
      // It was not another server: what is in the file is not what was committed.
      if (this.#mustReplay && !replays) continue;
      const stand = new Map((await this.#standing(left)).map((lease) => [lease.ip, lease]));
      const isLost = (lease: Lease): boolean => {
        const other = stand.get(lease.ip);
        // A record that cannot be read is not as it is known.
        const known = other?.mac === NO_MAC ? undefined : this.#mirror.at(lease.ip);
        return other !== undefined && isDisputed(other, lease, known);
      };
      const lost = new Set(left.filter(isLost));
      others.push(...[...stand.values()].filter(({ ip }) => lost.values().some((lease) => lease.ip === ip)));
      left = left.filter((lease) => !lost.has(lease));
      this.#mirror.keep([...stand.values()]);
    }
    throw unavailable({ message: 'other servers lend the same addresses again and again', hint: '' });
  }

  /** The leases of the addresses of `leases`, as they are in the file. */
  async #standing(leases: readonly Lease[]): Promise<readonly Lease[]> {
    const query = this.#tables.db.selectFrom('leases').selectAll().where('ip', '=', 0).compile();
    const addresses = [...new Set(leases.map(({ ip }) => ip))].map((ip) => [ip]);
    const [found] = await this.#tables.run([statementOf(query, addresses)]);
    return this.#tables.parse('leases', found, LEASE_ROW, SET_ASIDE_ROW);
  }

  /** The table as the mirror has it. */
  #all(): readonly Statement[] {
    const { db } = this.#tables;
    return [
      statementOf(db.deleteFrom('leases').compile()),
      ...this.#record(this.#mirror.all()),
      statementOf(db.deleteFrom('meta').where('key', '=', LEASES_HELD).compile()),
    ];
  }

  /** Where no address and no owner comes twice it makes no difference that all deletions come first. */
  #record(leases: readonly Lease[]): readonly Statement[] {
    const known = new Map<Ipv4, Lease>();
    return runsOf(leases).flatMap((run) => {
      const bound = run.filter(({ state }) => state === 'bound');
      const ended = bound.map(({ network, mac, ip }) => [network, mac, ip, 'declined']);
      const taken = run.map((lease) => {
        const { mac, state, expires } = known.get(lease.ip) ?? this.#mirror.at(lease.ip) ?? NO_LEASE;
        known.set(lease.ip, lease);
        return [...valuesOf(lease), 1, 'released', mac, state, expires];
      });
      return [statementOf(this.#endOthers, ended), { ...statementOf(this.#take, taken), claims: true }];
    });
  }
}

/** Ends the other leases of a machine in its network. */
function endOthersQuery(db: Kysely<Schema>): CompiledQuery {
  return db
    .deleteFrom('leases')
    .where('network', '=', '')
    .where('mac', '=', '')
    .where('ip', '!=', 0)
    .where('state', '!=', 'declined')
    .compile();
}

/** Takes an address, unless `isDisputed`. */
function takeQuery(db: Kysely<Schema>): CompiledQuery {
  return db
    .insertInto('leases')
    .values(SAMPLE_ROW)
    .onConflict((conflict) =>
      conflict
        .column('ip')
        .doUpdateSet((row) => ({
          mac: row.ref('excluded.mac'),
          network: row.ref('excluded.network'),
          state: row.ref('excluded.state'),
          start: row.ref('excluded.start'),
          expires: row.ref('excluded.expires'),
          client_id: row.ref('excluded.client_id'),
          hostname: row.ref('excluded.hostname'),
          reserved: row.ref('excluded.reserved'),
        }))
        .where(({ eb, ref, or, and }) =>
          or([
            eb('excluded.reserved', '=', 1),
            eb('leases.mac', '=', ref('excluded.mac')),
            eb('leases.state', '=', 'released'),
            eb('leases.expires', '<=', ref('excluded.start')),
            // The lease that is known to stand there.
            and([eb('leases.mac', '=', ''), eb('leases.state', '=', 'bound'), eb('leases.expires', '=', 0)]),
          ]),
        ),
    )
    .compile();
}

/** How often what another server does not dispute is tried again because others come in between. */
const MOST_TRIES = 5;

/** Stands for an address of which no lease is known. */
const NO_LEASE = { mac: '', state: '', expires: 0 };

const HELD_ROW = z.object({ value: wholeNumber });

const ADDRESS = wholeNumber.refine((ip) => ip >= 0 && ip <= 0xffffffff).transform((ip) => ip as Ipv4);

const LEASE_ROW = z
  .object({
    ip: ADDRESS,
    mac: z.string().refine((text): text is Mac => parseMac(text) === text),
    network: z.string(),
    state: z.enum(['bound', 'released', 'declined']),
    start: wholeNumber,
    expires: wholeNumber,
    client_id: z.instanceof(Uint8Array).nullable(),
    hostname: z.string().nullable(),
    reserved: wholeNumber.nullable(),
  })
  .transform(
    ({ ip, mac, network, state, start, expires, client_id, hostname, reserved }): Lease => ({
      ip,
      mac,
      network,
      state,
      start,
      expires,
      ...(client_id && { clientId: client_id }),
      ...(hostname !== null && { hostname }),
      ...(reserved !== null && { reserved: reserved !== 0 }),
    }),
  );

/** A record of which no more can be read: some machine may have the address until then, so that no other is given it. */
const SET_ASIDE_ROW = z
  .object({ ip: ADDRESS, start: wholeNumber, expires: wholeNumber })
  .transform(({ ip, start, expires }): Lease => ({ ip, mac: NO_MAC, network: '', state: 'declined', start, expires }));

const NO_MAC = '00:00:00:00:00:00' as Mac;

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

/** In the order of SAMPLE_ROW: the compiled statement's parameters are known by their order alone. */
function valuesOf({ ip, mac, network, state, start, expires, clientId, hostname, reserved }: Lease): SqlValue[] {
  const flag = reserved === undefined ? null : Number(reserved);
  return [ip, mac, network, state, start, expires, clientId ?? null, hostname ?? null, flag];
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
