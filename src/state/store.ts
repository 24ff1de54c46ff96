import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import type { LeaseStore } from '../model/lease.ts';
import type { Mac } from '../model/mac.ts';
import type { CertificateStore } from '../node/credentials.ts';
import type { IdentityParts, IdentityStore } from '../node/identity.ts';
import type { Applied } from '../node/news.ts';
import type { AppliedStore } from '../node/nodeFiles.ts';
import type { SignedKey } from '../node/openssl.ts';
import type { Roll, RollStore } from '../roll/record.ts';
import type { Boot } from '../timeline/boots.ts';
import type { Stranger } from '../timeline/strangers.ts';
import type { SeenBoot } from '../timeline/timeline.ts';
import { type Database, statementOf } from './database.ts';
import { type EventStore, openEventStore } from './eventStore.ts';
import { unavailable } from './failure.ts';
import { leaseStore } from './leases.ts';
import type { Schema } from './schema.ts';
import { sqliteDialect } from './sqlite/dialect.ts';
import { EVENTS_KEPT } from './sqlite/eventsFile.ts';
import { isPassing, prepareFolder, requireState } from './sqlite/folder.ts';
import type { EventsKept } from './sqlite/messages.ts';
import { openDatabase } from './sqlite/openDatabase.ts';
import { LOST_KEYS } from './sqlite/rebuild.ts';

/** What a machine last told about itself, and when (ms since the epoch). */
export type Inventory = { readonly at: number; readonly inventory: unknown };

/**
 * What the program learned, on disk. Every call rejects with STATE_UNAVAILABLE where the disk is full, broken or held by
 * another; a later call works again once the disk does.
 */
export type Store = LeaseStore &
  EventStore &
  IdentityStore &
  CertificateStore &
  AppliedStore &
  RollStore & {
    /** Keeps what a machine told about itself in place of what it told before. It must fit JSON. */
    saveInventory(mac: Mac, at: number, inventory: unknown): Promise<void>;
    inventories(): Promise<ReadonlyMap<Mac, Inventory>>;
    /** Keeps what was seen of some machines in place of what was, and forgets others, all or none. */
    saveStrangers(changed: readonly Stranger[], forgotten: readonly Mac[]): Promise<void>;
    strangers(): Promise<readonly Stranger[]>;
    /** Keeps the newest boots of some nodes in place of what was kept of them, all or none. */
    saveBoots(changed: ReadonlyMap<string, SeenBoot>): Promise<void>;
    /** By node. */
    boots(): Promise<ReadonlyMap<string, SeenBoot>>;
    /** What is known of the nodes' tokens, by node; the text is the writer's own. */
    tokens(): Promise<ReadonlyMap<string, string>>;
    /** Keeps what changed in place of what was kept; null forgets. All or none. */
    saveTokens(changed: ReadonlyMap<string, string | null>): Promise<void>;
    close(): Promise<void>;
  };

export type StoreOptions = {
  readonly readOnly?: boolean;
  /** How many events stay. */
  readonly keep?: EventsKept;
};

/**
 * Opens the state in `folder` (made if need be). One program at a time may write to it; any number may open it with
 * `readOnly` meanwhile. Rejects with STATE_UNAVAILABLE.
 */
export async function openStore(folder: string, options: StoreOptions = {}): Promise<Store> {
  const { readOnly = false, keep = EVENTS_KEPT } = options;
  await (readOnly ? requireState(folder) : prepareFolder(folder));
  const database = await openDatabase({ folder, readOnly });
  return sqliteStore(folder, database, openEventStore(folder, readOnly, keep));
}

export type PatientOptions = Omit<StoreOptions, 'readOnly'> & {
  /** The longest that an address may be lent, milliseconds; leases that were lost are waited for so long, and a day at most. */
  readonly longestLeaseMs: number;
  /** Told when the state breaks, when it is well again, and what was done about it. */
  readonly onNotice: (code: string, message: string) => void;
};

/** Where addresses are lent for longer, they are tried before they are given away again. */
const MOST_HELD_MS = 86_400_000;

/**
 * Opens the state for a server that goes on whatever the disk does. Calls reject while it fails, and work again once it does; what
 * can still be read is read. Rejects with STATE_UNAVAILABLE where waiting does not help: another program has the state, a newer one
 * wrote it, or this user may not use the folder.
 */
export async function openPatientStore(folder: string, options: PatientOptions): Promise<Store> {
  const { keep = EVENTS_KEPT, longestLeaseMs, onNotice } = options;
  await prepareFolder(folder).catch((error) => {
    if (!isPassing(error)) throw error;
    onNotice('STATE_UNAVAILABLE', error.message);
  });
  let leasesLost = (): void => {};
  const database = await openDatabase({
    folder,
    readOnly: false,
    longestLeaseMs: Math.min(longestLeaseMs, MOST_HELD_MS),
    patient: true,
    onNotice: (notice) => {
      if (notice.leasesLost) leasesLost();
      onNotice(notice.code, notice.message);
    },
  });
  return sqliteStore(folder, database, openEventStore(folder, false, keep), (replay) => {
    leasesLost = replay;
  });
}

function sqliteStore(
  folder: string,
  database: Database,
  events: ReturnType<typeof openEventStore>,
  whenLeasesAreLost: (replay: () => void) => void = () => {},
): Store {
  const db = new Kysely<Schema>({ dialect: sqliteDialect(database) });
  const { replay, ...leases } = leaseStore(database, db);
  whenLeasesAreLost(replay);

  const partsQuery = (node: string) => db.selectFrom('identities').select(['kind', 'value']).where('node', '=', node);

  /** Where keys of nodes were lost, others in their place would part those nodes from all that knew them: an operator decides. */
  const refuseNewKeys = async (of: string): Promise<void> => {
    const [lost] = await database.run([{ sql: LOST_KEYS, rows: [[]] }]);
    const damaged = lost?.rows[0]?.value;
    if (typeof damaged !== 'string' || !existsSync(join(folder, damaged))) return;
    throw unavailable({
      message: `no keys are made for ${of}: its own may have been lost with ${join(folder, damaged)}`,
      hint: 'bring back a copy of the state, or move that file away to have new ones made',
    });
  };

  const certificateQuery = (name: string) =>
    db.selectFrom('certificates').select(['key', 'certificate']).where('name', '=', name);

  return {
    ...leases,
    saveEvents: events.saveEvents,
    events: events.events,
    async saveInventory(mac, at, inventory) {
      const body = JSON.stringify(inventory ?? null);
      await db
        .insertInto('inventory')
        .values({ mac, at, body })
        .onConflict((conflict) => conflict.column('mac').doUpdateSet({ at, body }))
        .execute();
    },
    async inventories() {
      const rows = await db.selectFrom('inventory').selectAll().execute();
      return new Map(rows.map(({ mac, at, body }) => [mac as Mac, { at, inventory: JSON.parse(body) }]));
    },
    async identityOf(node) {
      return partsOf(await partsQuery(node).execute());
    },
    async keepIdentity(node, parts) {
      const insert = db
        .insertInto('identities')
        .values({ node: '', kind: '', value: '' })
        .onConflict((conflict) => conflict.doNothing())
        .compile();
      const rows = [...parts].map(([kind, value]) => [node, kind, value]);
      if (rows.length > 0) await refuseNewKeys(node);
      const results = await database.run([
        ...(rows.length === 0 ? [] : [statementOf(insert, rows)]),
        statementOf(partsQuery(node).compile()),
      ]);
      return partsOf((results.at(-1)?.rows ?? []) as { kind: string; value: string }[]);
    },
    async certificateOf(name) {
      return certificateQuery(name).executeTakeFirst();
    },
    async keepCertificate(name, { key, certificate }, before) {
      if (before === undefined) await refuseNewKeys(name === '' ? 'the authority' : name);
      const keep = db
        .insertInto('certificates')
        .values({ name, key, certificate })
        .onConflict((conflict) =>
          conflict
            .column('name')
            .doUpdateSet({ key, certificate })
            .where('certificates.certificate', '=', before?.certificate ?? ''),
        );
      const query = certificateQuery(name);
      const [, kept] = await database.run([statementOf(keep.compile()), statementOf(query.compile())]);
      return kept?.rows[0] as SignedKey;
    },
    async saveStrangers(changed, forgotten) {
      const forget = db.deleteFrom('strangers').where('mac', '=', '').compile();
      const keep = db.replaceInto('strangers').values({ mac: '', body: '' }).compile();
      const rows = changed.map((stranger) => [stranger.mac, JSON.stringify(stranger)]);
      const statements = [
        statementOf(
          forget,
          forgotten.map((mac) => [mac]),
        ),
        statementOf(keep, rows),
      ];
      await database.run(statements.filter((statement) => statement.rows.length > 0));
    },
    async strangers() {
      const rows = await db.selectFrom('strangers').select('body').execute();
      return rows.map(({ body }) => JSON.parse(body) as Stranger);
    },
    async saveBoots(changed) {
      if (changed.size === 0) return;
      const keep = db.replaceInto('boots').values({ node: '', seen_at: 0, body: '' }).compile();
      const rows = [...changed].map(([node, { boot, seenAt }]) => [node, seenAt, JSON.stringify(boot)]);
      await database.run([statementOf(keep, rows)]);
    },
    async boots() {
      const rows = await db.selectFrom('boots').selectAll().execute();
      return new Map(
        rows.map(({ node, seen_at, body }) => [node, { boot: JSON.parse(body) as Boot, seenAt: seen_at }]),
      );
    },
    async saveApplied(node, at, applied) {
      const body = JSON.stringify(applied);
      await db
        .insertInto('applied')
        .values({ node, at, body })
        .onConflict((conflict) => conflict.column('node').doUpdateSet({ at, body }))
        .execute();
    },
    async applied() {
      const rows = await db.selectFrom('applied').selectAll().execute();
      return new Map(rows.map(({ node, at, body }) => [node, { ...(JSON.parse(body) as Applied), at }]));
    },
    async forgetApplied(nodes) {
      if (nodes.length === 0) return;
      const forget = db.deleteFrom('applied').where('node', '=', '').compile();
      await database.run([
        statementOf(
          forget,
          nodes.map((node) => [node]),
        ),
      ]);
    },
    async saveRoll(roll, pins, forgotten) {
      const keep = db.replaceInto('rolls').values({ id: '', at: 0, body: '' }).compile();
      const forget = db.deleteFrom('rolls').where('id', '=', '').compile();
      const pin = db.replaceInto('pins').values({ node: '', image: '' }).compile();
      const unpin = db.deleteFrom('pins').where('node', '=', '').compile();
      const [pinned, unpinned] = setAndUnset(pins);
      const statements = [
        statementOf(keep, [[roll.id, roll.begunAt, JSON.stringify(roll)]]),
        statementOf(
          forget,
          forgotten.map((id) => [id]),
        ),
        statementOf(pin, pinned),
        statementOf(unpin, unpinned),
      ];
      await database.run(statements.filter((statement) => statement.rows.length > 0));
    },
    async rolls() {
      const rows = await db.selectFrom('rolls').select('body').orderBy('at').orderBy('id').execute();
      return rows.map(({ body }) => JSON.parse(body) as Roll);
    },
    async pins() {
      const rows = await db.selectFrom('pins').selectAll().execute();
      return new Map(rows.map(({ node, image }) => [node, image]));
    },
    async tokens() {
      const rows = await db.selectFrom('tokens').selectAll().execute();
      return new Map(rows.map(({ node, body }) => [node, body]));
    },
    async saveTokens(changed) {
      const [set, unset] = setAndUnset(changed);
      const keep = db.replaceInto('tokens').values({ node: '', body: '' }).compile();
      const forget = db.deleteFrom('tokens').where('node', '=', '').compile();
      const statements = [statementOf(keep, set), statementOf(forget, unset)];
      await database.run(statements.filter((statement) => statement.rows.length > 0));
    },
    async close() {
      // An empty write ends with the last group of leases; whoever waits for that group hears of its failure.
      await leases.commit([]).catch(() => {});
      await Promise.all([database.close(), events.close()]);
    },
  };
}

/** The rows to write, and those to delete: what stands at null. */
function setAndUnset(changes: ReadonlyMap<string, string | null>): [[string, string][], [string][]] {
  const set = [...changes].filter((one): one is [string, string] => one[1] !== null);
  const unset = [...changes].filter(([, value]) => value === null).map(([key]): [string] => [key]);
  return [set, unset];
}

function partsOf(rows: readonly { readonly kind: string; readonly value: string }[]): IdentityParts {
  return new Map(rows.map(({ kind, value }) => [kind, value]));
}
