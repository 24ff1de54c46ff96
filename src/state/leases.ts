import { z } from 'zod';
import type { LeaseStore } from '../dhcp/leaseStore.ts';
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

  constructor(tables: Tables<Schema>) {
    this.#tables = tables;
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

  async #write(leases: readonly Lease[]): Promise<readonly Lease[]> {
    const replays = this.#mustReplay;
    if (leases.length === 0 && !replays) return [];
    const first = replays ? this.#all() : [];
    const results = await this.#tables.run([...first, ...this.#record(leases)]);
    const taken = new Set(results.slice(first.length).flatMap(({ rows }) => rows.map(({ ip, mac }) => `${ip} ${mac}`)));
    const isTaken = ({ ip, mac }: Lease): boolean => taken.has(`${ip} ${mac}`);
    const lost = leases.filter((lease) => !isTaken(lease));
    // Not another server has these: what is in the file is not what was committed.
    if (lost.length > 0 && this.#mustReplay && !replays) return this.#write(leases);
    // What the mirror lacks is in this very call.
    this.#mirror.keep(leases.filter(isTaken));
    if (replays) this.#mustReplay = false;
    return lost.length === 0 ? [] : this.#ofOthers(lost);
  }

  /** What stands at the addresses of these leases; what is free again by now is recorded after all. */
  async #ofOthers(lost: readonly Lease[]): Promise<readonly Lease[]> {
    const at = this.#tables.db.selectFrom('leases').selectAll().where('ip', '=', 0);
    const addresses = [...new Set(lost.map(({ ip }) => ip))].map((ip) => [ip]);
    const [found] = await this.#tables.run([statementOf(at.compile(), addresses)]);
    const others = this.#tables.parse('leases', found, LEASE_ROW, SET_ASIDE_ROW);
    this.#mirror.keep(others);
    const stand = new Set(others.map(({ ip }) => ip));
    const free = lost.filter(({ ip }) => !stand.has(ip));
    return free.length === 0 ? others : [...others, ...(await this.#write(free))];
  }

  /** The table as the mirror has it. */
  #all(): readonly Statement[] {
    const { db } = this.#tables;
    return [
      statementOf(db.deleteFrom('leases').compile()),
      ...this.#record(this.#mirror.all()),
      statementOf(db.deleteFrom('meta').where('key', '=', LEASES_HELD).compile()),
    ].filter(({ rows }) => rows.length > 0);
  }

  /** Statements that take the addresses of leases, which give those that were taken, and end the other leases of their machines. */
  #record(leases: readonly Lease[]): readonly Statement[] {
    const { db } = this.#tables;
    const take = db
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
      .returning(['ip', 'mac'])
      .compile();
    const endOthers = db
      .deleteFrom('leases')
      .where('network', '=', '')
      .where('mac', '=', '')
      .where('ip', '!=', 0)
      .where('state', '!=', 'declined')
      .where(({ exists, selectFrom }) =>
        exists(selectFrom('leases as taken').select('taken.ip').where('taken.ip', '=', 0).where('taken.mac', '=', '')),
      )
      .compile();
    const known = new Map<Ipv4, Lease>();
    return runsOf(leases).flatMap((run) => {
      const takes = run.map((lease) => {
        const { mac, state, expires } = known.get(lease.ip) ?? this.#mirror.at(lease.ip) ?? NO_LEASE;
        known.set(lease.ip, lease);
        return [...Object.values(rowOf(lease)), 1, 'released', mac, state, expires];
      });
      const bound = run.filter(({ state }) => state === 'bound');
      const ends = bound.map(({ network, mac, ip }) => [network, mac, ip, 'declined', ip, mac]);
      return [statementOf(take, takes), statementOf(endOthers, ends)].filter(({ rows }) => rows.length > 0);
    });
  }
}

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

/** Cuts leases, in their order, into runs in which no address and no MAC comes twice, so that all are taken before any is ended: nearly always one run. */
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
