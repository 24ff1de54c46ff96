import { Kysely } from 'kysely';
import type { ApiTokenStore } from '../access/apiTokenStore.ts';
import type { LeaseStore } from '../dhcp/leaseStore.ts';
import { troubleOf } from '../errors.ts';
import type { Trouble } from '../model/trouble.ts';
import type { AppliedStore } from '../node/appliedStore.ts';
import type { CertificateStore } from '../node/certificateStore.ts';
import type { IdentityStore } from '../node/identityStore.ts';
import type { InventoryStore } from '../node/inventoryStore.ts';
import type { TokenStore } from '../node/tokenStore.ts';
import type { RollStore } from '../roll/rollStore.ts';
import type { BootStore } from '../timeline/bootStore.ts';
import type { EventStore } from '../timeline/eventStore.ts';
import type { StrangerStore } from '../timeline/strangerStore.ts';
import { SqlApiTokens } from './apiTokens.ts';
import { SqlApplied } from './applied.ts';
import { SqlBoots } from './boots.ts';
import { SqlCertificates } from './certificates.ts';
import type { Database, DatabaseGauges, EventsDatabase } from './database.ts';
import { SqlEvents } from './events.ts';
import { SqlIdentities } from './identities.ts';
import { SqlInventories } from './inventories.ts';
import { SqlLeases } from './leases.ts';
import { SqlRolls } from './rolls.ts';
import type { EventsSchema, Schema } from './schema.ts';
import { sqliteDialect } from './sqlite/dialect.ts';
import { openEventsDatabase } from './sqlite/eventsDatabase.ts';
import { EVENTS_KEPT } from './sqlite/eventsFile.ts';
import { isPassing, prepareFolder, requireState } from './sqlite/folder.ts';
import { guardLostKeys } from './sqlite/lostKeys.ts';
import type { EventsKept } from './sqlite/messages.ts';
import { type LentDatabase, openDatabase } from './sqlite/openDatabase.ts';
import { SqlStrangers } from './strangers.ts';
import { type DamageSink, Tables } from './tables.ts';
import { SqlTokens } from './tokens.ts';

/**
 * What the program learned, on disk: the port of each room that keeps something. Every call rejects with STATE_UNAVAILABLE where the
 * disk is full, broken or held by another; a later call works again once the disk does. A record that cannot be read is reported, and
 * left out.
 */
export type Store = {
  readonly leases: LeaseStore;
  readonly events: EventStore;
  readonly boots: BootStore;
  readonly strangers: StrangerStore;
  readonly identities: IdentityStore;
  readonly certificates: CertificateStore;
  readonly inventories: InventoryStore;
  readonly applied: AppliedStore;
  readonly tokens: TokenStore;
  readonly apiTokens: ApiTokenStore;
  readonly rolls: RollStore;
  close(): Promise<void>;
};

export type StoreOptions = {
  readonly readOnly?: boolean;
  /** How many events stay. */
  readonly keep?: EventsKept;
  /** Called with what cannot be read; a call rejects with what this throws. */
  readonly onDamaged?: DamageSink;
};

/**
 * Opens the state in `folder` (made if need be). One program at a time may write to it; any number may open it with
 * `readOnly` meanwhile. Rejects with STATE_UNAVAILABLE.
 */
export async function openStore(folder: string, options: StoreOptions = {}): Promise<Store> {
  const { readOnly = false, keep = EVENTS_KEPT, onDamaged = () => {} } = options;
  await (readOnly ? requireState(folder) : prepareFolder(folder));
  const database = await openDatabase({ folder, readOnly });
  return sqliteStore(folder, database, openEventsDatabase(folder, readOnly, keep), onDamaged).store;
}

/** The same, with the numbers of its databases. */
export type PatientStore = Store & {
  readonly database: Pick<LentDatabase, 'lend'> & {
    /** Looks after the database's thread, which another thread finds missing: it is started anew, or ended where it hangs. */
    lookAfter(): void;
  };
  gauges(): { readonly state: DatabaseGauges; readonly events: DatabaseGauges };
};

export type PatientOptions = Pick<StoreOptions, 'keep'> & {
  /** The longest that an address may be lent, milliseconds; leases that were lost are waited for so long, and a day at most. */
  readonly longestLeaseMs: number;
  /** Called when the state breaks, when it is well again, with what was done about it, and with records that cannot be read. */
  readonly onNotice: (trouble: Trouble) => void;
};

/** Where addresses are lent for longer, they are tried before they are given away again. */
const MOST_HELD_MS = 86_400_000;

/**
 * Opens the state for a server that goes on whatever the disk does. Calls reject while it fails, and work again once it does; what
 * can still be read is read. Rejects with STATE_UNAVAILABLE where waiting does not help: another program has the state, a newer one
 * wrote it, or this user may not use the folder.
 */
export async function openPatientStore(folder: string, options: PatientOptions): Promise<PatientStore> {
  const { keep = EVENTS_KEPT, longestLeaseMs, onNotice } = options;
  await prepareFolder(folder).catch((error) => {
    if (!isPassing(error)) throw error;
    onNotice(troubleOf(error));
  });
  let leasesLost = (): void => {};
  const database = await openDatabase({
    folder,
    readOnly: false,
    longestLeaseMs: Math.min(longestLeaseMs, MOST_HELD_MS),
    patient: true,
    onNotice: (notice) => {
      if (notice.leasesLost) leasesLost();
      onNotice(notice.trouble);
    },
  });
  const events = openEventsDatabase(folder, false, keep);
  const { store, leases } = sqliteStore(folder, database, events, once(onNotice));
  leasesLost = () => leases.replay();
  const lookAfter = () => void database.run([]).catch(() => {});
  return {
    ...store,
    database: { lend: database.lend, lookAfter },
    gauges: () => ({ state: database.gauges(), events: events.gauges() }),
  };
}

function sqliteStore(folder: string, database: Database, eventsDatabase: EventsDatabase, damaged: DamageSink) {
  const tables = new Tables(database, new Kysely<Schema>({ dialect: sqliteDialect(database) }), damaged);
  const eventsDb = new Kysely<EventsSchema>({ dialect: sqliteDialect(eventsDatabase) });
  const keyGuard = guardLostKeys(folder, database);
  const leases = new SqlLeases(tables);
  const store: Store = {
    leases,
    events: new SqlEvents(eventsDatabase, new Tables(eventsDatabase, eventsDb, damaged)),
    boots: new SqlBoots(tables),
    strangers: new SqlStrangers(tables),
    identities: new SqlIdentities(tables, keyGuard),
    certificates: new SqlCertificates(tables, keyGuard),
    inventories: new SqlInventories(tables),
    applied: new SqlApplied(tables),
    tokens: new SqlTokens(tables),
    apiTokens: new SqlApiTokens(tables),
    rolls: new SqlRolls(tables),
    async close() {
      // An empty commit ends with the last one, and fails with it.
      await leases.commit([]).catch(() => {});
      await Promise.all([database.close(), eventsDatabase.close()]);
    },
  };
  return { store, leases };
}

const MOST_PASSED_ON = 100;

/** The same damage is passed on once, other damage each time. */
function once(damaged: DamageSink): DamageSink {
  const passedOn = new Set<string>();
  return (damage) => {
    const rows = `${damage.table} ${damage.count} ${damage.rows}`;
    if (passedOn.has(rows) || passedOn.size >= MOST_PASSED_ON) return;
    passedOn.add(rows);
    damaged(damage);
  };
}
