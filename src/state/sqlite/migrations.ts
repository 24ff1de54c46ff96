import type { DatabaseSync } from 'node:sqlite';
import { ReveilleError } from '../../errors.ts';
import { StateTaken } from '../failure.ts';

/** Every step that the database has gone through since its beginning. Steps are only ever added, never changed. */
const MIGRATIONS: readonly string[] = [
  `create table leases (
     ip integer primary key,
     mac text not null,
     network text not null,
     state text not null,
     start integer not null,
     expires integer not null,
     client_id blob,
     hostname text
   ) strict;
   create index leases_by_owner on leases (network, mac);
   create table events (
     id integer primary key autoincrement,
     at integer not null,
     node text,
     mac text,
     subject text not null,
     body text not null
   ) strict;
   create index events_by_subject on events (subject, id);
   create index events_by_node on events (node, id);
   create index events_by_mac on events (mac, id);
   create table inventory (mac text primary key, at integer not null, body text not null) strict;`,
  `create table identities (
     node text not null,
     kind text not null,
     value text not null,
     primary key (node, kind)
   ) strict, without rowid;
   create unique index identities_differ on identities (kind, value);`,
  'create table strangers (mac text primary key, body text not null) strict, without rowid',
  `create table applied (node text primary key, at integer not null, body text not null) strict;`,
  `create table rolls (id text primary key, at integer not null, body text not null) strict;
   create table pins (node text primary key, image text not null) strict, without rowid;`,
  'create table certificates (name text primary key, key text not null, certificate text not null) strict',
  `create table boots (node text primary key, seen_at integer not null, body text not null) strict;`,
  'create table tokens (node text primary key, body text not null) strict, without rowid',
  'alter table leases add column reserved integer',
  'alter table rolls add column revision integer not null default 0',
  `create table api_tokens (
     name text primary key,
     role text not null,
     hash text not null unique,
     created_at integer not null,
     expires_at integer
   ) strict, without rowid`,
];

/** The steps of `events.db`. */
export const EVENT_MIGRATIONS: readonly string[] = [
  `create table events (
     id integer primary key autoincrement,
     at integer not null,
     node text,
     mac text,
     subject text not null,
     body text not null
   ) strict;
   create index events_by_subject on events (subject, id);
   create index events_by_node on events (node, id);
   create index events_by_mac on events (mac, id);`,
];

/** The version of the database that this program reads and writes. */
export const VERSION = MIGRATIONS.length;

/**
 * Brings the database to this program's version, each step in a transaction of its own. Throws STATE_UNAVAILABLE if the
 * database is of a newer program.
 */
export function migrate(db: DatabaseSync, migrations: readonly string[] = MIGRATIONS): void {
  db.exec('create table if not exists meta (key text primary key, value text not null) strict');
  const from = versionOf(db);
  refuseNewer(from, migrations.length);
  for (const [index, sql] of migrations.entries()) {
    if (index < from) continue;
    db.exec('begin immediate');
    try {
      db.exec(sql);
      db.prepare("insert or replace into meta (key, value) values ('version', ?)").run(String(index + 1));
      db.exec('commit');
    } catch (error) {
      if (db.isTransaction) db.exec('rollback');
      throw error;
    }
  }
}

/** For those who only read: throws STATE_UNAVAILABLE unless the database has this program's version. */
export function requireCurrent(db: DatabaseSync, migrations: readonly string[] = MIGRATIONS): void {
  const hasMeta = db.prepare("select 1 from sqlite_master where name = 'meta'").get() !== undefined;
  const version = hasMeta ? versionOf(db) : 0;
  refuseNewer(version, migrations.length);
  if (version === migrations.length) return;
  throw new ReveilleError('STATE_UNAVAILABLE', 'the state is of an older program and has not been brought up to date', {
    hint: 'start `reveille serve` once: it does that by itself',
  });
}

function versionOf(db: DatabaseSync): number {
  const row = db.prepare("select value from meta where key = 'version'").get();
  return Number(row?.value ?? 0);
}

function refuseNewer(found: number, known: number): void {
  if (found <= known) return;
  throw new StateTaken(
    `the state was written by a newer program: its version is ${found}, and this program knows ${known}`,
    'run the newer program, or let this one use another state folder',
  );
}
